// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Foundation
import Glibc
import Testing

@testable import AgentKinesis

@Suite struct EnvironmentTests {
    private let keys = ["AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s"]
    private let file =
        "[default]\naws_access_key_id=FILE\naws_secret_access_key=s\n[p]\naws_access_key_id=P\naws_secret_access_key=s\n"

    @Test(arguments: ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
    func keysWinOverAProfileOfTheEnvironmentAndThatIsSaid(_ variable: String) throws {
        let home = try Home(credentials: file)
        #expect(try home.found(keys.merging([variable: "p"]) { a, _ in a }).accessKeyID == "ENV")
        #expect(try home.found([variable: "p"]).accessKeyID == "P")
        let said = CredentialChain.passedOver(environment: Environment(keys.merging([variable: "p"]) { a, _ in a }))
        #expect(said.count == 1)
        #expect(said.first?.contains("\(variable) ('p')") == true)
        #expect(CredentialChain.passedOver(environment: Environment([variable: "p"])).isEmpty)
    }

    @Test func aConfiguredProfileWinsOverKeysAndThatIsSaid() throws {
        let home = try Home(credentials: file)
        #expect(try home.found(keys, profile: "p").accessKeyID == "P")
        let said = CredentialChain.passedOver(profile: "p", environment: Environment(keys))
        #expect(said.count == 1)
        #expect(said.first?.contains("aws.profile is 'p'") == true)
    }

    @Test func ofTwoNamedProfilesTheDefaultOneWinsAsForTheCommandLine() throws {
        let variables = ["AWS_PROFILE": "other", "AWS_DEFAULT_PROFILE": "p"]
        #expect(try Home(credentials: file).found(variables).accessKeyID == "P")
        #expect(CredentialChain.passedOver(environment: Environment(variables)).first?.contains("'other'") == true)
    }

    @Test func aWebIdentityComesBeforeProfiles() throws {
        let error = try Home(credentials: file).error(["AWS_WEB_IDENTITY_TOKEN_FILE": "/token"])
        #expect(error?.code == "credentials_unusable")
    }

    @Test func halfAKeyThatIsNotLookedAtIsSaid() {
        let said = CredentialChain.passedOver(environment: Environment(["AWS_SECRET_ACCESS_KEY": "s"]))
        #expect(said.first?.contains("AWS_SECRET_ACCESS_KEY") == true)
    }

    @Test func withoutHomeThePasswordFileKnows() throws {
        let account = try #require(getpwuid(getuid()))
        let home = String(cString: account.pointee.pw_dir)
        #expect(PathExpansion(environment: Environment([:])).expand("~/x") == "\(home)/x")
    }

    @Test(arguments: [
        ("~/.aws/config", "/h/.aws/config"), ("~", "/h"), ("/a/~/b", "/a/~/b"), ("$DIR/c", "/d/c"), ("${DIR}c", "/dc"),
        ("$NONE/c", "$NONE/c"), ("${DIR", "${DIR"), ("a$", "a$"), ("~root/c", "/root/c"),
    ])
    func pathsAreExpandedAsTheToolsDo(_ path: String, _ expanded: String) {
        let environment = Environment(["HOME": "/h/", "DIR": "/d"])
        #expect(PathExpansion(environment: environment).expand(path) == expanded)
    }

    @Test(arguments: ["~nobody-of-that-name/x", "~/x"]) func aHomeThatIsNotThereIsNeverARelativePath(_ path: String) {
        #expect(PathExpansion(environment: Environment(["HOME": "relative"])).expand(path) == nil)
    }

    @Test func aFIFOInPlaceOfAFileHoldsNobodyUp() throws {
        let home = try Home()
        #expect(mkfifo(home.credentialsFile, 0o600) == 0)
        #expect(home.error()?.code == "credentials_unreadable")
        #expect(home.error()?.description.contains("not a regular file") == true)
    }

    @Test func theNullDeviceIsNoFile() throws {
        let home = try Home(config: file.replacing("[p]", with: "[profile p]"))
        #expect(try home.found(["AWS_SHARED_CREDENTIALS_FILE": "/dev/null"]).accessKeyID == "FILE")
    }
}

@Suite struct FileWatchTests {
    @Test func aFileThatIsReplacedIsSeenAfterAWhile() throws {
        let home = try Home(credentials: "a")
        var watch = FileWatch(home.credentialsFile)
        var changes = [watch.hasChanged(at: .zero)]
        try home.write(credentials: "b")
        // Not looked at after a second, seen after two, and then not again.
        for second in [1, 2, 4] { changes.append(watch.hasChanged(at: .zero + .seconds(second))) }
        #expect(changes == [false, false, true, false])
    }

    @Test func noFileNeverChanges() {
        var watch = FileWatch("")
        let changes = [0, 60].map { watch.hasChanged(at: .zero + .seconds($0)) }
        #expect(changes == [false, false])
    }
}
