// SPDX-License-Identifier: Apache-2.0
internal import AgentQueue

/// The exit status for what ``runAgent(_:)`` threw: 78 (`EX_CONFIG` of sysexits.h) where another start would fail in
/// just the same way, until somebody changes the configuration or what it names; 1 for the rest.
public func exitStatus(for error: any Error) -> Int32 {
    if let error = error as? QueueError, error.isOfConfiguration { return 78 }
    return 1
}
