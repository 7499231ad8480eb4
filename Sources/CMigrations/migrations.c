#include "CMigrations.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

// One pair of lines for each file of migrations/, in order of number; HouseTests compares the two.
static const unsigned char m0001[] = {
#embed "../../migrations/0001_schema.sql"
};
static const unsigned char m0002[] = {
#embed "../../migrations/0002_jobs.sql"
};
static const unsigned char m0003[] = {
#embed "../../migrations/0003_nodes.sql"
};
static const unsigned char m0004[] = {
#embed "../../migrations/0004_registry.sql"
};
static const unsigned char m0005[] = {
#embed "../../migrations/0005_people.sql"
};
static const unsigned char m0006[] = {
#embed "../../migrations/0006_holders.sql"
};
static const unsigned char m0007[] = {
#embed "../../migrations/0007_workers.sql"
};
static const unsigned char m0008[] = {
#embed "../../migrations/0008_coordination.sql"
};
static const unsigned char m0009[] = {
#embed "../../migrations/0009_records.sql"
};
static const unsigned char m0010[] = {
#embed "../../migrations/0010_views.sql"
};
static const unsigned char m0011[] = {
#embed "../../migrations/0011_exams.sql"
};
static const unsigned char m0012[] = {
#embed "../../migrations/0012_upstreams.sql"
};
static const unsigned char m0013[] = {
#embed "../../migrations/0013_captures.sql"
};
static const unsigned char m0014[] = {
#embed "../../migrations/0014_tasks.sql"
};
static const unsigned char m0015[] = {
#embed "../../migrations/0015_feedback.sql"
};
static const unsigned char m0016[] = {
#embed "../../migrations/0016_trust.sql"
};
static const unsigned char m0017[] = {
#embed "../../migrations/0017_retention.sql"
};
static const unsigned char m0018[] = {
#embed "../../migrations/0018_judges.sql"
};
static const unsigned char m0019[] = {
#embed "../../migrations/0019_curation.sql"
};
static const unsigned char m0020[] = {
#embed "../../migrations/0020_servers.sql"
};
static const unsigned char m0021[] = {
#embed "../../migrations/0021_distillation.sql"
};
static const unsigned char m0022[] = {
#embed "../../migrations/0022_handovers.sql"
};
static const unsigned char m0023[] = {
#embed "../../migrations/0023_rented.sql"
};
static const unsigned char m0024[] = {
#embed "../../migrations/0024_builds.sql"
};
static const unsigned char m0025[] = {
#embed "../../migrations/0025_costs.sql"
};
static const unsigned char m0026[] = {
#embed "../../migrations/0026_cycles.sql"
};
static const unsigned char m0027[] = {
#embed "../../migrations/0027_reports.sql"
};
static const unsigned char m0028[] = {
#embed "../../migrations/0028_imported_feedback.sql"
};
static const unsigned char m0029[] = {
#embed "../../migrations/0029_source_roles.sql"
};
static const unsigned char m0030[] = {
#embed "../../migrations/0030_book_rules.sql"
};
static const unsigned char m0031[] = {
#embed "../../migrations/0031_unkept_contents.sql"
};
static const unsigned char m0032[] = {
#embed "../../migrations/0032_upkeep.sql"
};
static const unsigned char m0033[] = {
#embed "../../migrations/0033_gangs.sql"
};
static const unsigned char m0034[] = {
#embed "../../migrations/0034_gateway_login.sql"
};
static const unsigned char m0035[] = {
#embed "../../migrations/0035_exam_contents.sql"
};
static const unsigned char m0036[] = {
#embed "../../migrations/0036_answer_losses.sql"
};
static const unsigned char m0037[] = {
#embed "../../migrations/0037_precisions.sql"
};
static const unsigned char m0038[] = {
#embed "../../migrations/0038_shares.sql"
};
static const unsigned char m0039[] = {
#embed "../../migrations/0039_queue.sql"
};
static const unsigned char m0040[] = {
#embed "../../migrations/0040_scheduling.sql"
};
static const unsigned char m0041[] = {
#embed "../../migrations/0041_artifacts.sql"
};

#define MIGRATION(number, file) {file, number, sizeof number}

static const cmigration cmigrations[] = {
    MIGRATION(m0001, "0001_schema.sql"),
    MIGRATION(m0002, "0002_jobs.sql"),
    MIGRATION(m0003, "0003_nodes.sql"),
    MIGRATION(m0004, "0004_registry.sql"),
    MIGRATION(m0005, "0005_people.sql"),
    MIGRATION(m0006, "0006_holders.sql"),
    MIGRATION(m0007, "0007_workers.sql"),
    MIGRATION(m0008, "0008_coordination.sql"),
    MIGRATION(m0009, "0009_records.sql"),
    MIGRATION(m0010, "0010_views.sql"),
    MIGRATION(m0011, "0011_exams.sql"),
    MIGRATION(m0012, "0012_upstreams.sql"),
    MIGRATION(m0013, "0013_captures.sql"),
    MIGRATION(m0014, "0014_tasks.sql"),
    MIGRATION(m0015, "0015_feedback.sql"),
    MIGRATION(m0016, "0016_trust.sql"),
    MIGRATION(m0017, "0017_retention.sql"),
    MIGRATION(m0018, "0018_judges.sql"),
    MIGRATION(m0019, "0019_curation.sql"),
    MIGRATION(m0020, "0020_servers.sql"),
    MIGRATION(m0021, "0021_distillation.sql"),
    MIGRATION(m0022, "0022_handovers.sql"),
    MIGRATION(m0023, "0023_rented.sql"),
    MIGRATION(m0024, "0024_builds.sql"),
    MIGRATION(m0025, "0025_costs.sql"),
    MIGRATION(m0026, "0026_cycles.sql"),
    MIGRATION(m0027, "0027_reports.sql"),
    MIGRATION(m0028, "0028_imported_feedback.sql"),
    MIGRATION(m0029, "0029_source_roles.sql"),
    MIGRATION(m0030, "0030_book_rules.sql"),
    MIGRATION(m0031, "0031_unkept_contents.sql"),
    MIGRATION(m0032, "0032_upkeep.sql"),
    MIGRATION(m0033, "0033_gangs.sql"),
    MIGRATION(m0034, "0034_gateway_login.sql"),
    MIGRATION(m0035, "0035_exam_contents.sql"),
    MIGRATION(m0036, "0036_answer_losses.sql"),
    MIGRATION(m0037, "0037_precisions.sql"),
    MIGRATION(m0038, "0038_shares.sql"),
    MIGRATION(m0039, "0039_queue.sql"),
    MIGRATION(m0040, "0040_scheduling.sql"),
    MIGRATION(m0041, "0041_artifacts.sql"),
};
const size_t cmigrations_count = sizeof cmigrations / sizeof cmigrations[0];

cmigration cmigration_at(size_t index) { return cmigrations[index]; }
