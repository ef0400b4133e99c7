// SPDX-License-Identifier: Apache-2.0
// Nothing is declared here: the one function of this target takes the place of one in the Swift runtime.
