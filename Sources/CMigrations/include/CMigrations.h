// The migrations of the repository's migrations/ folder, embedded, so that one binary can migrate.
#pragma once
#include <stddef.h>

typedef struct {
    const char *name;            // "0001_jobs.sql"
    const unsigned char *bytes;  // UTF-8, not terminated
    size_t size;
} cmigration;

extern const size_t cmigrations_count;

/// The migration at `index`, from 0 to `cmigrations_count`, exclusive.
cmigration cmigration_at(size_t index);
