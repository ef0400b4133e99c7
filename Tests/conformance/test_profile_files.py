# SPDX-License-Identifier: Apache-2.0
"""AWS credentials and config files as botocore reads them: the table that the agent's own reader is tested against.

profile_files.json holds what botocore makes of each pair of files, for the Swift tests. `python test_profile_files.py`
writes it anew; the test here says when it is out of date.
"""

import json
import os
import pathlib
import tempfile
from unittest import mock

import botocore.session

TABLE = pathlib.Path(__file__).with_name("profile_files.json")

K = "aws_access_key_id"
S = "aws_secret_access_key"
T = "aws_session_token"
PLAIN = f"[default]\n{K}=A\n{S}=B\n"


def case(name, credentials="", config="", profile=None, agent=None, why=None):
    """`agent` is what the agent makes of it where that is not what botocore does, and `why` the reason."""
    return {"name": name, "credentials": credentials, "config": config, "profile": profile, "agent": agent, "why": why}


REFUSES = "botocore refuses the whole file, the other SDKs go on"
COMMENT = "the other SDKs take it for a comment; no key has a space in it"
SECTION = "botocore knows no section of that name; the SDKs trim it"

CASES = [
    case("plain", PLAIN),
    case("with a token", f"{PLAIN}{T}=C\n"),
    case("the old name of the token", f"{PLAIN}aws_security_token=C\n"),
    case("both names of the token", f"{PLAIN}{T}=C\naws_security_token=D\n"),
    case("spaces around the equals sign", f"[default]\n{K} = A\n{S}   =   B\n"),
    case("tabs around the equals sign", f"[default]\n{K}\t=\tA\n{S}\t=\tB\n"),
    case("colons", f"[default]\n{K}: A\n{S} : B\n"),
    case("no space at all", f"[default]\n{K}:A\n{S}:B\n"),
    case("an equals sign in the value", f"[default]\n{K}=A\n{S}=B=C==\n"),
    case("a colon in the value", f"[default]\n{K}=A\n{S}=B:C\n"),
    case("keys in capitals", f"[default]\n{K.upper()}=A\n{S.upper()}=B\n"),
    case("indented by spaces", f"[default]\n  {K}=A\n  {S}=B\n"),
    case("indented by tabs", f"[default]\n\t{K}=A\n\t{S}=B\n"),
    case("the first indented", f"[default]\n    {K}=A\n{S}=B\n"),
    case("the second indented", f"[default]\n{K}=A\n    {S}=B\n"),
    case("less indented each time", f"[default]\n    {K}=A\n  {S}=B\n"),
    case("an indented section", f"  [default]\n  {K}=A\n  {S}=B\n"),
    case("an indented section, keys not", f"  [default]\n{K}=A\n{S}=B\n"),
    case("an indented comment between", f"[default]\n{K}=A\n  # comment\n{S}=B\n"),
    case("an indented section below a key", f"[other]\nx=y\n  [default]\n{K}=A\n{S}=B\n"),
    case("comments", f"# a\n; b\n[default]\n# c\n{K}=A\n; d\n{S}=B\n"),
    case("a comment behind a section", f"[default] # c\n{K}=A\n{S}=B\n"),
    case("a hash in a value", f"[default]\n{K}=A\n{S}=B#c\n"),
    case("a semicolon in a value", f"[default]\n{K}=A\n{S}=B;c\n"),
    case("a comment behind a value", f"[default]\n{K}=A # c\n{S}=B\n", agent=["A", "B", ""], why=COMMENT),
    case("a comment behind a secret", f"[default]\n{K}=A\n{S}=B ; c\n", agent=["A", "B", ""], why=COMMENT),
    case("quotes are part of a value", f'[default]\n{K}="A"\n{S}=\'B\'\n'),
    case("blank lines", f"\n\n[default]\n\n{K}=A\n\n\n{S}=B\n\n"),
    case("blanks at the ends of lines", f"[default]  \n{K}=A  \n{S}=B\t\n"),
    case("CRLF", PLAIN.replace("\n", "\r\n")),
    case("CR alone", PLAIN.replace("\n", "\r")),
    case("no end of the last line", PLAIN.rstrip("\n")),
    case("a byte order mark", "\ufeff" + PLAIN, agent=["A", "B", ""], why=REFUSES),
    case("text in other scripts", f"# ключ\n[default]\n{K}=A\n{S}=B\nname=鍵\n"),
    case("an empty file"),
    case("only comments", "# nothing\n"),
    case("an empty section", "[default]\n"),
    case("another section", f"[other]\n{K}=A\n{S}=B\n"),
    case("a named profile", f"[other]\n{K}=A\n{S}=B\n", profile="other"),
    case("a named profile that is not there", PLAIN, profile="other"),
    case("names have case", f"[Default]\n{K}=A\n{S}=B\n"),
    case("only half a key", f"[default]\n{K}=A\n"),
    case("only a secret", f"[default]\n{S}=B\n"),
    case("nested settings", f"[default]\n{K}=A\ns3 =\n  max = 1\n  addressing = path\n{S}=B\n"),
    case("nested settings with a key's name", f"[default]\ns3 =\n  {K} = X\n{K}=A\n{S}=B\n"),
    case("a nested line without a value", f"[default]\ns3 =\n  nonsense\n{K}=A\n{S}=B\n", agent=["A", "B", ""], why=REFUSES),
    case("a value on the next line", f"[default]\nregion=\n  x = y\n{K}=A\n{S}=B\n"),
    case("a line that is nothing", f"[default]\n{K}=A\nnonsense\n{S}=B\n", agent=["A", "B", ""], why=REFUSES),
    case("a key before any section", f"x=y\n{PLAIN}", agent=["A", "B", ""], why=REFUSES),
    case("a section twice", f"{PLAIN}[default]\nx=y\n", agent=["A", "B", ""], why=REFUSES),
    case("a key twice", f"[default]\n{K}=X\n{K}=A\n{S}=B\n", agent=["A", "B", ""], why=REFUSES),
    case("a section without its end", f"{PLAIN}[broken\nx=y\n", agent=["A", "B", ""], why=REFUSES),
    case("a section in blanks", f"[ default ]\n{K}=A\n{S}=B\n", agent=["A", "B", ""], why=SECTION),
    case("keys for all sections", f"[DEFAULT]\n{K}=A\n[default]\n{S}=B\n"),
    case("the config file alone", config=PLAIN),
    case("the config file's long form", config=f"[profile default]\n{K}=A\n{S}=B\n"),
    case("a config profile", config=f"[profile p]\n{K}=A\n{S}=B\n", profile="p"),
    case("a config profile in quotes", config=f'[profile "my one"]\n{K}=A\n{S}=B\n', profile="my one"),
    case("a config profile in single quotes", config=f"[profile 'p']\n{K}=A\n{S}=B\n", profile="p"),
    case("a config profile with tabs", config=f"[profile\tp]\n{K}=A\n{S}=B\n", profile="p"),
    case("a config profile without its word", config=f"[p]\n{K}=A\n{S}=B\n", profile="p"),
    case("a credentials section with the word", f"[profile p]\n{K}=A\n{S}=B\n", profile="p"),
    case("both files", PLAIN, f"[default]\n{K}=X\n{S}=Y\nregion=r\n"),
    case("half in each file", f"[default]\n{K}=A\n", f"[default]\n{S}=B\n"),
    case("settings in one, keys in the other", PLAIN, "[default]\nregion=eu-west-1\noutput=json\n"),
    case("indented keys in the config file", config=f"[profile p]\n    {K} = A\n    {S} = B\n    region = r\n", profile="p"),
    case("a role", PLAIN, "[default]\nrole_arn=arn:aws:iam::123456789012:role/r\nsource_profile=x\n[profile x]\nregion=r\n"),
    case("a process", config='[default]\ncredential_process=echo {"Version":1,"AccessKeyId":"P","SecretAccessKey":"Q"}\n'),
    case("a process, but keys too", PLAIN, "[default]\ncredential_process=false\n"),
]


def read_by_botocore(case):
    """[key id, secret, token], "none", "error", or "elsewhere" where a role or a process would give them."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: pathlib.Path(folder, name) for name in ("credentials", "config")}
        for name, path in paths.items():
            path.write_bytes(case[name].encode())
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_SHARED_CREDENTIALS_FILE": str(paths["credentials"]),
            "AWS_CONFIG_FILE": str(paths["config"]),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if case["profile"]:
            environment["AWS_PROFILE"] = case["profile"]
        with mock.patch.dict(os.environ, environment, clear=True):
            try:
                found = botocore.session.Session().get_credentials()
                if found is None:
                    return "none"
                if found.method not in ("shared-credentials-file", "config-file"):
                    return "elsewhere"
            except Exception:
                return "error"
            return [found.access_key, found.secret_key, found.token or ""]


def table():
    return [{**case, "botocore": read_by_botocore(case)} for case in CASES]


def test_the_recorded_table_is_what_botocore_does():
    assert json.loads(TABLE.read_text()) == table()


def test_only_named_differences_are_differences():
    assert len(CASES) >= 60 and len({case["name"] for case in CASES}) == len(CASES)
    for entry in table():
        assert (entry["agent"] is None) == (entry["why"] is None), entry
        assert entry["agent"] != entry["botocore"], entry


if __name__ == "__main__":
    TABLE.write_text(json.dumps(table(), indent=1, ensure_ascii=False) + "\n")
