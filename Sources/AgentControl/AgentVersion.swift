// SPDX-License-Identifier: Apache-2.0

public enum AgentVersion {
    /// Of agentd and agentctl, which are made and released together.
    public static let current = "0.1.0"
}
