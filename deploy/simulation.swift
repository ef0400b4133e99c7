// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// The simulation alone, for deploy/test: it is built optimised, which for all the rest would take minutes.

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]
let collections = "swift-collections"

let package = Package(
    name: "simulation",
    dependencies: [.package(url: "https://github.com/apple/swift-collections", from: "1.6.0")],
    targets: [
        .target(
            name: "AgentCore",
            dependencies: [
                .product(name: "DequeModule", package: collections), .product(name: "HeapModule", package: collections),
            ],
            swiftSettings: settings
        ),
        .testTarget(name: "SimulationTests", dependencies: ["AgentCore"], swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
