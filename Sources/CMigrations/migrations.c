#include "CMigrations.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

// One line for each file of migrations/, in order of number; HouseTests compares the two.
static const unsigned char m0001[] = {
#embed "../../migrations/0001_schema.sql"
};

#define MIGRATION(number, file) {file, number, sizeof number}

const cmigration cmigrations[] = {
    MIGRATION(m0001, "0001_schema.sql"),
};
const size_t cmigrations_count = sizeof cmigrations / sizeof cmigrations[0];
