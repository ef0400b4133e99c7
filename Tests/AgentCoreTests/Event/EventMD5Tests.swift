// SPDX-License-Identifier: Apache-2.0
import AgentCore
import Testing

struct EventMD5Tests {
    /// RFC 1321, appendix A.5.
    @Test(arguments: [
        ("", 0xd41d_8cd9_8f00_b204_e980_0998_ecf8_427e as UInt128),
        ("a", 0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661),
        ("abc", 0x9001_5098_3cd2_4fb0_d696_3f7d_28e1_7f72),
        ("message digest", 0xf96b_697d_7cb7_938d_525a_2f31_aaf1_61d0),
        ("abcdefghijklmnopqrstuvwxyz", 0xc3fc_d3d7_6192_e400_7dfb_496c_ca67_e13b),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 0xd174_ab98_d277_d9f5_a561_1c2c_9f41_9d9f),
        (
            "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            0x57ed_f4a2_2be3_c955_ac49_da2e_2107_b67a
        ),
    ])
    func digestsAreThoseOfTheStandard(text: String, digest: UInt128) {
        #expect(MD5.digest(text) == digest)
    }

    /// One byte around each place where padding takes another block: digests of so many letters `a`.
    @Test(arguments: [
        (55, 0xef1772b6dff9a122358552954ad0df65 as UInt128), (56, 0x3b0c8ac703f828b04c6c197006d17218),
        (63, 0xb06521f39153d618550606be297466d5), (64, 0x014842d480b571495a4a0363793f7367),
        (65, 0xc743a45e0d2e6a95cb859adae0248435),
    ])
    func lengthsAroundABlockAreRight(count: Int, digest: UInt128) {
        #expect(MD5.digest(String(repeating: "a", count: count)) == digest)
    }
}
