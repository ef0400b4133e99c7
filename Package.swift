// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// Set by .ci/run.
let strict: [SwiftSetting] = Context.environment["AGENTD_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)]
let settings: [SwiftSetting] =
    strict + [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
    ]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTP2: Target.Dependency = .product(name: "NIOHTTP2", package: "swift-nio-http2")
let nioHPACK: Target.Dependency = .product(name: "NIOHPACK", package: "swift-nio-http2")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let heap: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")

/// One module, its folder named like it, with the settings every module shares.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

let package = Package(
    name: "agentd",
    products: [
        .executable(name: "agentd", targets: ["agentd"]),
        .executable(name: "agentctl", targets: ["agentctl"]),
        .executable(name: "kinesis-local", targets: ["kinesis-local"]),
        .executable(name: "agent-bench", targets: ["agent-bench"]),
        // A Kinesis on loopback, for the tests of other packages.
        .library(name: "KinesisLocal", targets: ["KinesisLocal"]),
    ],
    // Exact versions: what holds other people's data is built the same everywhere.
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", exact: "1.46.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/LebJe/TOMLKit", exact: "0.6.0"),
    ],
    targets: [
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),

        module("AgentCore", [deque, heap]),
        module("AgentQueue", ["AgentCore", "CSQLite"]),
        module("AgentKinesis", ["AgentCore", "CCurl", crypto]),
        module("AgentIngest", ["AgentCore", nioCore, nioPosix, nioHTTP2, nioHPACK, crypto]),
        module("AgentControl", ["AgentCore"]),
        module("AgentSystemd", ["AgentCore", "CSystemd"]),
        module(
            "AgentRuntime",
            [
                "AgentCore", "AgentQueue", "AgentKinesis", "AgentIngest", "AgentControl", "AgentSystemd",
                nioCore, nioPosix, logging, .product(name: "TOMLKit", package: "TOMLKit"),
            ]
        ),
        module(
            "KinesisLocal",
            ["AgentCore", nioCore, nioPosix, nioHTTP1, crypto]
        ),

        program("agentd", ["AgentRuntime", arguments]),
        program("agentctl", ["AgentControl", "AgentQueue", "AgentCore", arguments]),
        program("kinesis-local", ["KinesisLocal", arguments]),
        program("agent-bench", ["AgentControl", arguments]),

        tests("AgentCoreTests", ["AgentCore"]),
        tests("AgentQueueTests", ["AgentQueue", "AgentCore", "CSQLite"]),
        tests("AgentKinesisTests", ["AgentKinesis", "AgentCore"]),
        tests(
            "AgentIngestTests",
            ["AgentIngest", "AgentCore", nioCore, nioPosix, nioEmbedded, nioHTTP1, nioHPACK]
        ),
        tests("AgentControlTests", ["AgentControl", "AgentCore"]),
        .target(name: "ThreadSanitizerSupport", path: "Tests/ThreadSanitizerSupport"),
        tests("AgentSystemdTests", ["AgentSystemd", "ThreadSanitizerSupport"]),
        tests("AgentRuntimeTests", ["AgentRuntime", "AgentCore"]),
        tests("KinesisLocalTests", ["KinesisLocal", "AgentCore"]),
        tests("AgentBenchTests", ["agent-bench"]),
        tests("SimulationTests", ["AgentCore"]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
