#include "store.h"

namespace epode::muc {

namespace {

// Ids are chosen by who makes the room, and negative: in the archive they stand beside the ids of
// accounts. `retention` and `is_public` repeat what is in `config`, for lists.
constexpr Migration first{"muc", 1, "rooms, affiliations and occupants", R"(
    CREATE TABLE muc_room(
        id {bigint} PRIMARY KEY,
        domain {text} NOT NULL,
        name {text} NOT NULL,
        creator {text} NOT NULL,
        created_at {bigint} NOT NULL,
        locked_by {text} NOT NULL,
        is_public {bigint} NOT NULL,
        retention {bigint} NOT NULL,
        title {text} NOT NULL,
        config {text} NOT NULL,
        secret {blob} NOT NULL,
        subject {text} NOT NULL,
        subject_nick {text} NOT NULL,
        subject_by {text} NOT NULL,
        subject_at {bigint} NOT NULL,
        vcard {text} NOT NULL);
    CREATE UNIQUE INDEX muc_room_by_name ON muc_room(domain, name);
    CREATE INDEX muc_room_by_creator ON muc_room(creator);
    CREATE INDEX muc_room_by_retention ON muc_room(retention);
    CREATE TABLE muc_affiliation(
        room {bigint} NOT NULL,
        jid {text} NOT NULL,
        affiliation {bigint} NOT NULL,
        nick {text} NOT NULL,
        reason {text} NOT NULL,
        PRIMARY KEY(room, jid)) {clustered};
    CREATE INDEX muc_affiliation_by_jid ON muc_affiliation(jid);
    CREATE TABLE muc_occupant(
        room {bigint} NOT NULL,
        jid {text} NOT NULL,
        place {bigint} NOT NULL,
        nick {text} NOT NULL,
        role {bigint} NOT NULL,
        presence {text} NOT NULL,
        PRIMARY KEY(room, jid)) {clustered};
)"};

// The log names rooms by their addresses: it tells of rooms that are no more, too.
constexpr Migration second{"muc", 2, "terms, voice and the log of what moderators did", R"(
    ALTER TABLE muc_affiliation ADD COLUMN voice {bigint} NOT NULL DEFAULT 0;
    ALTER TABLE muc_affiliation ADD COLUMN until {bigint} NOT NULL DEFAULT 0;
    CREATE TABLE muc_audit(
        id {id},
        room {text} NOT NULL,
        at {bigint} NOT NULL,
        actor {text} NOT NULL,
        action {text} NOT NULL,
        target {text} NOT NULL,
        reason {text} NOT NULL,
        until {bigint} NOT NULL,
        details {text} NOT NULL);
    CREATE INDEX muc_audit_by_room ON muc_audit(room, at);
    CREATE INDEX muc_audit_by_time ON muc_audit(at);
)"};

constexpr Migration third{"muc", 3, "hats, and when members have left", R"(
    CREATE TABLE muc_hat(
        room {bigint} NOT NULL,
        uri {text} NOT NULL,
        title {text} NOT NULL,
        hue {text} NOT NULL,
        PRIMARY KEY(room, uri)) {clustered};
    CREATE TABLE muc_hat_wearer(
        room {bigint} NOT NULL,
        jid {text} NOT NULL,
        uri {text} NOT NULL,
        PRIMARY KEY(room, jid, uri)) {clustered};
    ALTER TABLE muc_affiliation ADD COLUMN left_at {bigint} NOT NULL DEFAULT 0;
)"};

constexpr const Migration* all[] = {&first, &second, &third};

}  // namespace

std::span<const Migration* const> Store::migrations() { return all; }

}  // namespace epode::muc
