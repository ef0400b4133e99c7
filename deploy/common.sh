# Shared by the scripts beside it; sourced by bash.

# Says what is being done, on standard error.
say() { if [ -t 2 ]; then printf '\033[1m%s\033[0m\n' "$*" >&2; else printf '%s\n' "$*" >&2; fi; }

# Installs the Debian packages that are missing, if this user may.
need_packages() {
    local missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    say "Installing ${missing[*]}"
    local run=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || {
            echo "Only root may install them: apt-get install ${missing[*]}" >&2
            return 1
        }
        run=(sudo)
    fi
    "${run[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${run[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

need_libraries() { need_packages libsqlite3-dev libcurl4-openssl-dev libsystemd-dev pkg-config; }

# Builds the programs as they ship: one static Swift runtime, unused sections dropped.
release_flags=(-c release --static-swift-stdlib -Xlinker --gc-sections)
build_release() {
    say "Building the programs"
    local product quiet=()
    # A line for each file is of use only to somebody who watches.
    [ -t 2 ] || quiet=(--quiet)
    for product in agentd agentctl kinesis-local agent-bench; do
        swift build "${release_flags[@]}" "${quiet[@]}" --product "$product" >&2
    done
}
release_folder() { swift build "${release_flags[@]}" --show-bin-path; }
