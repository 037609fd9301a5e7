/*
 * configuration: sets of members as values: building, comparing, the joint form (paper, section
 * 6), and their bytes in an entry's payload.
 *
 * It knows nothing of the log; which configuration is in force is membership's.
 *
 * Bytes: u8 form (0: simple, 1: joint, 2: preparing), varint count, and for each member varint id,
 * varint directory, u8 parts, u8 size of the address, the address.
 */
#include "raft/internal.h"

#include <string.h>

#define PART_VOTER 1U
#define PART_LEARNER 2U
#define PART_VOTER_OLD 4U
#define PART_NEXT_VOTER 8U
#define PART_NEXT_LEARNER 16U
#define PART_ADDED 32U
#define PARTS_ALL 63U
#define FORM_JOINT 1U
#define FORM_PREPARING 2U
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
    to->preparing = from->preparing;
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

static const char *member_problem(const struct raft_member *member,
                                  const struct raft_configuration *configuration)
{
    if (member->id == 0) {
        return "a member's id is 0";
    }
    if (member->voter && member->learner) {
        return "a member is voter and learner";
    }
    if (!configuration->joint && member->voter_old) {
        return "an old voter outside of a joint configuration";
    }
    if (!member->voter && !member->learner && !member->voter_old) {
        return "a member has no part";
    }
    if (!configuration->preparing &&
        (member->next_voter || member->next_learner || member->added)) {
        return "a part to come in a configuration that prepares nothing";
    }
    if ((member->next_voter && member->next_learner) || (member->added && !member->learner)) {
        return "a member is to be voter and learner, or was added as a voter";
    }
    return NULL;
}

/* Form only: an empty one is well-formed. */
static const char *form_problem(const struct raft_configuration *configuration)
{
    if (configuration->count > 0 && configuration->members == NULL) {
        return "no members where some are announced";
    }
    if (configuration->joint && configuration->preparing) {
        return "joint and preparing at once";
    }
    if (configuration->count > RAFT_MEMBERS_MAX) {
        return "too many members";
    }
    for (uint32_t i = 0; i < configuration->count; i++) {
        const char *problem = member_problem(&configuration->members[i], configuration);
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
    uint32_t next_voters = 0;
    for (uint32_t i = 0; i < configuration->count; i++) {
        voters += configuration->members[i].voter ? 1U : 0U;
        old_voters += configuration->members[i].voter_old ? 1U : 0U;
        next_voters += configuration->members[i].next_voter ? 1U : 0U;
    }
    bool lacks = voters == 0 || (configuration->joint && old_voters == 0) ||
                 (configuration->preparing && next_voters == 0);
    return lacks ? "no voters" : NULL;
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

/* ---- preparing, and what comes of it -------------------------------------------------------- */

void configuration_make_preparing(const struct raft_configuration *present,
                                  const struct raft_configuration *wanted,
                                  struct raft_configuration *out)
{
    raft_configuration_copy(out, present);
    out->preparing = true;
    for (uint32_t i = 0; i < wanted->count; i++) {
        struct raft_member member = wanted->members[i];
        const struct raft_member *known = raft_configuration_find(present, member.id);
        member.next_voter = member.voter;
        member.next_learner = member.learner;
        member.voter = known != NULL && known->voter;
        member.learner = !member.voter;
        member.added = known == NULL;
        raft_configuration_put(out, &member);
    }
}

static void forget_what_comes(struct raft_member *member)
{
    member->next_voter = false;
    member->next_learner = false;
    member->added = false;
}

void configuration_make_wanted(const struct raft_configuration *preparing,
                               struct raft_configuration *out)
{
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < preparing->count; i++) {
        struct raft_member member = preparing->members[i];
        member.voter = member.next_voter;
        member.learner = member.next_learner;
        forget_what_comes(&member);
        if (member.voter || member.learner) {
            raft_configuration_put(out, &member);
        }
    }
}

void configuration_make_former(const struct raft_configuration *preparing,
                               struct raft_configuration *out)
{
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < preparing->count; i++) {
        struct raft_member member = preparing->members[i];
        bool came = member.added;
        forget_what_comes(&member);
        if (!came) {
            raft_configuration_put(out, &member);
        }
    }
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
        forget_what_comes(&member);
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

static uint8_t parts_of(const struct raft_member *member)
{
    return (uint8_t)((member->voter ? PART_VOTER : 0U) | (member->learner ? PART_LEARNER : 0U) |
                     (member->voter_old ? PART_VOTER_OLD : 0U) |
                     (member->next_voter ? PART_NEXT_VOTER : 0U) |
                     (member->next_learner ? PART_NEXT_LEARNER : 0U) |
                     (member->added ? PART_ADDED : 0U));
}

void raft_configuration_encode(const struct raft_configuration *configuration, struct buffer *out)
{
    uint8_t number[VARINT_BYTES_MAX];
    buffer_append_byte(out, configuration->joint       ? FORM_JOINT
                            : configuration->preparing ? FORM_PREPARING
                                                       : 0);
    buffer_append(out, number, (size_t)(varint_write(number, configuration->count) - number));
    for (uint32_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        buffer_append(out, number, (size_t)(varint_write(number, member->id) - number));
        buffer_append(out, number, (size_t)(varint_write(number, member->directory) - number));
        buffer_append_byte(out, parts_of(member));
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
    member->next_voter = (parts & PART_NEXT_VOTER) != 0;
    member->next_learner = (parts & PART_NEXT_LEARNER) != 0;
    member->added = (parts & PART_ADDED) != 0;
    member->address_size = reader_byte(reader);
    if (parts > PARTS_ALL || member->address_size > (size_t)(reader->end - reader->at)) {
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
    uint8_t form = reader_byte(&reader);
    uint64_t count = reader_varint(&reader);
    if (reader.failed || form > FORM_PREPARING ||
        count > (size_t)(reader.end - reader.at) / MEMBER_BYTES_MIN) {
        return false;
    }
    out->joint = form == FORM_JOINT;
    out->preparing = form == FORM_PREPARING;
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
