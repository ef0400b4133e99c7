// SPDX-License-Identifier: Apache-2.0

/// Names that are kept for later features: refused with those words, so that nobody takes them for misspelt, and
/// nobody believes them to work.
enum PlannedSettings {
    static let sections: Set<String> = ["account", "metrics", "limits", "iot"]

    static let keys: Set<String> = [
        "queue.encryption", "queue.compression", "queue.dead_letter_max_age",
        "listen.api_keys_file", "listen.max_rate",
        "listen.tls_certificate", "listen.tls_key",
        "delivery.max_rate", "delivery.compression", "delivery.codec",
        "aws.role_arn", "aws.external_id", "aws.proxy", "aws.fips", "aws.dual_stack", "aws.credentials_file",
        "aws.credential_process", "aws.iot_endpoint", "aws.iot_role_alias",
        "log.format",
        "stream.account", "stream.arn", "stream.max_age", "stream.max_rate", "stream.when_full", "stream.priority",
    ]
}
