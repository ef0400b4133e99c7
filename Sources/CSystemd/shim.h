// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#include <malloc.h>

/// Swift's Glibc module leaves malloc.h out.
static inline int agent_limit_arenas(int count) { return mallopt(M_ARENA_MAX, count); }
