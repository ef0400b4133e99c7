// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// The writer and its simulation alone, for the mutations: built optimised, which for all the rest would take minutes.

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]
let collections = "swift-collections"

let package = Package(
    name: "writer",
    dependencies: [.package(url: "https://github.com/apple/swift-collections", from: "1.6.0")],
    targets: [
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .target(
            name: "AgentCore",
            dependencies: [
                .product(name: "DequeModule", package: collections), .product(name: "HeapModule", package: collections),
            ],
            swiftSettings: settings
        ),
        .target(name: "AgentQueue", dependencies: ["AgentCore", "CSQLite"], swiftSettings: settings),
        .testTarget(
            name: "WriterSimulation",
            dependencies: ["AgentQueue", "AgentCore"],
            path: "Tests/AgentQueueTests/WriterSimulation",
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
