/*
 * configuration: sets of members as values: building, comparing, the joint form (paper, section
 * 6), and their bytes in an entry's payload.
 *
 * It knows nothing of the log; which configuration is in force is membership's.
 *
 * Bytes: u8 joint, varint count, and for each member varint id, varint directory, u8 parts, u8 size
 * of the address, the address.
 */
#include "raft/internal.h"

#include <string.h>

#define PART_VOTER 1U
#define PART_LEARNER 2U
#define PART_VOTER_OLD 4U
#define MEMBER_BYTES_MIN 4

void raft_configuration_free(struct raft_configuration *configuration)
{
    memory_free(configuration->members);
    memset(configuration, 0, sizeof *configuration);
}

void raft_configuration_copy(struct raft_configuration *to, const struct raft_configuration *from)
{
    to->count = from->count;
    to->joint = from->joint;
    to->members = NULL;
    if (from->count > 0) {
        to->members = memory_new(from->count * sizeof *to->members);
        memcpy(to->members, from->members, from->count * sizeof *to->members);
    }
}

/* The position of the first member whose id is not below `id`. */
static uint32_t position_of(const struct raft_configuration *configuration, uint64_t id)
{
    uint32_t low = 0;
    uint32_t high = configuration->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (configuration->members[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void raft_configuration_put(struct raft_configuration *configuration,
                            const struct raft_member *member)
{
    uint32_t at = position_of(configuration, member->id);
    if (at < configuration->count && configuration->members[at].id == member->id) {
        configuration->members[at] = *member;
        return;
    }
    struct raft_member copy = *member; /* it may lie in the array that moves */
    configuration->members = memory_resize(
        configuration->members, (configuration->count + 1U) * sizeof *configuration->members);
    memmove(&configuration->members[at + 1], &configuration->members[at],
            (configuration->count - at) * sizeof *configuration->members);
    configuration->members[at] = copy;
    configuration->count++;
}

const struct raft_member *raft_configuration_find(const struct raft_configuration *configuration,
                                                  uint64_t id)
{
    uint32_t at = position_of(configuration, id);
    return at < configuration->count && configuration->members[at].id == id
               ? &configuration->members[at]
               : NULL;
}

bool raft_configuration_lists(const struct raft_configuration *configuration, uint64_t id,
                              uint64_t directory)
{
    const struct raft_member *member = raft_configuration_find(configuration, id);
    return member != NULL && member->directory == directory;
}

void raft_configuration_claim(struct raft_configuration *first, uint64_t id, uint64_t directory)
{
    uint32_t at = position_of(first, id);
    if (at < first->count && first->members[at].id == id && first->members[at].directory == 0) {
        first->members[at].directory = directory;
    }
}

/* ---- judging -------------------------------------------------------------------------------- */

static const char *member_problem(const struct raft_member *member, bool joint)
{
    if (member->id == 0) {
        return "a member's id is 0";
    }
    if (member->voter && member->learner) {
        return "a member is voter and learner";
    }
    if (!joint && member->voter_old) {
        return "an old voter outside of a joint configuration";
    }
    if (!member->voter && !member->learner && !member->voter_old) {
        return "a member has no part";
    }
    return NULL;
}

/* Form only: an empty one is well-formed. */
static const char *form_problem(const struct raft_configuration *configuration)
{
    if (configuration->count > 0 && configuration->members == NULL) {
        return "no members where some are announced";
    }
    if (configuration->count > RAFT_MEMBERS_MAX) {
        return "too many members";
    }
    for (uint32_t i = 0; i < configuration->count; i++) {
        const char *problem = member_problem(&configuration->members[i], configuration->joint);
        if (problem != NULL) {
            return problem;
        }
        if (i > 0 && configuration->members[i - 1].id >= configuration->members[i].id) {
            return "ids are not sorted and unique";
        }
    }
    return NULL;
}

const char *configuration_problem(const struct raft_configuration *configuration)
{
    const char *problem = form_problem(configuration);
    if (problem != NULL) {
        return problem;
    }
    uint32_t voters = 0;
    uint32_t old_voters = 0;
    for (uint32_t i = 0; i < configuration->count; i++) {
        voters += configuration->members[i].voter ? 1U : 0U;
        old_voters += configuration->members[i].voter_old ? 1U : 0U;
    }
    return voters == 0 || (configuration->joint && old_voters == 0) ? "no voters" : NULL;
}

bool configuration_same_voters(const struct raft_configuration *a,
                               const struct raft_configuration *b)
{
    for (int turn = 0; turn < 2; turn++) {
        const struct raft_configuration *from = turn == 0 ? a : b;
        const struct raft_configuration *in = turn == 0 ? b : a;
        for (uint32_t i = 0; i < from->count; i++) {
            const struct raft_member *other = raft_configuration_find(in, from->members[i].id);
            if (from->members[i].voter && (other == NULL || !other->voter)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- joint and final ------------------------------------------------------------------------ */

void configuration_make_joint(const struct raft_configuration *old_one,
                              const struct raft_configuration *wanted,
                              struct raft_configuration *out)
{
    raft_configuration_copy(out, wanted);
    out->joint = true;
    for (uint32_t i = 0; i < old_one->count; i++) {
        if (!old_one->members[i].voter) {
            continue;
        }
        const struct raft_member *kept = raft_configuration_find(wanted, old_one->members[i].id);
        struct raft_member member = kept != NULL ? *kept : old_one->members[i];
        member.voter = kept != NULL && kept->voter;
        member.learner = kept != NULL && kept->learner;
        member.voter_old = true;
        raft_configuration_put(out, &member);
    }
}

void configuration_make_final(const struct raft_configuration *joint,
                              struct raft_configuration *out)
{
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < joint->count; i++) {
        struct raft_member member = joint->members[i];
        member.voter_old = false;
        if (member.voter || member.learner) {
            raft_configuration_put(out, &member);
        }
    }
}

/* ---- bytes ---------------------------------------------------------------------------------- */

void raft_configuration_encode(const struct raft_configuration *configuration, struct buffer *out)
{
    uint8_t number[VARINT_BYTES_MAX];
    buffer_append_byte(out, configuration->joint ? 1 : 0);
    buffer_append(out, number, (size_t)(varint_write(number, configuration->count) - number));
    for (uint32_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        buffer_append(out, number, (size_t)(varint_write(number, member->id) - number));
        buffer_append(out, number, (size_t)(varint_write(number, member->directory) - number));
        buffer_append_byte(out, (uint8_t)((member->voter ? PART_VOTER : 0U) |
                                          (member->learner ? PART_LEARNER : 0U) |
                                          (member->voter_old ? PART_VOTER_OLD : 0U)));
        buffer_append_byte(out, member->address_size);
        buffer_append(out, member->address, member->address_size);
    }
}

static void read_member(struct reader *reader, struct raft_member *member)
{
    memset(member, 0, sizeof *member);
    member->id = reader_varint(reader);
    member->directory = reader_varint(reader);
    uint8_t parts = reader_byte(reader);
    member->voter = (parts & PART_VOTER) != 0;
    member->learner = (parts & PART_LEARNER) != 0;
    member->voter_old = (parts & PART_VOTER_OLD) != 0;
    member->address_size = reader_byte(reader);
    if (parts > (PART_VOTER | PART_LEARNER | PART_VOTER_OLD) ||
        member->address_size > (size_t)(reader->end - reader->at)) {
        reader->failed = true;
        return;
    }
    memcpy(member->address, reader->at, member->address_size);
    reader->at += member->address_size;
}

bool raft_configuration_decode(struct bytes payload, struct raft_configuration *out)
{
    memset(out, 0, sizeof *out);
    if (payload.size == 0) {
        return false;
    }
    struct reader reader = {payload.data, payload.data + payload.size, false};
    uint8_t joint = reader_byte(&reader);
    uint64_t count = reader_varint(&reader);
    if (reader.failed || joint > 1 || count > (size_t)(reader.end - reader.at) / MEMBER_BYTES_MIN) {
        return false;
    }
    out->joint = joint == 1;
    out->members = count > 0 ? memory_new(count * sizeof *out->members) : NULL;
    while (out->count < count && !reader.failed) {
        read_member(&reader, &out->members[out->count++]);
    }
    if (reader.failed || reader.at != reader.end || form_problem(out) != NULL) {
        raft_configuration_free(out);
        return false;
    }
    return true;
}
