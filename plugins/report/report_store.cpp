#include "report_store.h"

namespace epode {

namespace {

const Migration tables{"report", 1, "reports of spam and abuse", R"(
    CREATE TABLE report(
        id {id},
        host {text} NOT NULL,
        reporter {text} NOT NULL,
        reported {text} NOT NULL,
        reason {text} NOT NULL,
        said {text} NOT NULL,
        reported_at {bigint} NOT NULL,
        consent {bigint} NOT NULL,
        closed_at {bigint},
        note {text} NOT NULL);
    CREATE INDEX report_by_reporter ON report(reporter) WHERE closed_at IS NULL;
    CREATE INDEX report_by_time ON report(reported_at);
    CREATE TABLE report_message(
        report {bigint} NOT NULL,
        place {bigint} NOT NULL,
        sent_at {bigint} NOT NULL,
        stanza {blob} NOT NULL,
        PRIMARY KEY(report, place)) {clustered};
)"};

// In the column `consent`.
constexpr std::int64_t originBit = 1;
constexpr std::int64_t thirdPartyBit = 2;

constexpr std::string_view columns =
    "SELECT id, host, reporter, reported, reason, said, reported_at, consent, closed_at, note, "
    "(SELECT count(*) FROM report_message m WHERE m.report = report.id) FROM report ";

Report readReport(const SqlRow& row) {
    Report report;
    report.id = row.integer(0);
    report.host = row.text(1);
    report.reporter = row.text(2);
    report.reported = row.text(3);
    report.reason = row.text(4);
    report.text = row.text(5);
    report.when = fromMilliseconds(row.integer(6));
    report.mayTellOrigin = row.integer(7) & originBit;
    report.mayTellThirdParty = row.integer(7) & thirdPartyBit;
    if (!row.isNull(8)) report.closed = fromMilliseconds(row.integer(8));
    report.note = row.text(9);
    report.messageCount = row.integer(10);
    return report;
}

}  // namespace

const std::vector<const Migration*>& ReportStore::migrations() {
    static const std::vector<const Migration*> all{&tables};
    return all;
}

Task<std::optional<std::int64_t>> ReportStore::add(Report report, std::int64_t openMax) {
    auto work = [report = std::move(report), openMax](SqlConnection& connection) {
        std::optional<std::int64_t> id;
        std::int64_t open = 0;
        connection.run("SELECT count(*) FROM report WHERE reporter = ?1 AND closed_at IS NULL",
                       {report.reporter}, [&](const SqlRow& row) { open = row.integer(0); });
        if (open >= openMax) return id;
        const std::int64_t consent =
            (report.mayTellOrigin ? originBit : 0) | (report.mayTellThirdParty ? thirdPartyBit : 0);
        connection.run(
            "INSERT INTO report(host, reporter, reported, reason, said, reported_at, consent, "
            "closed_at, note) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, '') RETURNING id",
            {report.host, report.reporter, report.reported, report.reason, report.text,
             toMilliseconds(report.when), consent},
            [&](const SqlRow& row) { id = row.integer(0); });
        std::int64_t place = 0;
        for (const auto& message : report.messages)
            connection.run(
                "INSERT INTO report_message(report, place, sent_at, stanza) "
                "VALUES(?1, ?2, ?3, ?4)",
                {*id, place++, toMilliseconds(message.when), Blob{message.stanza}});
        return id;
    };
    return database_.write(std::move(work));
}

Task<std::vector<Report>> ReportStore::list(Filter filter) {
    auto work = [filter = std::move(filter)](SqlConnection& connection) {
        static const std::string sql =
            std::string{columns} +
            "WHERE id < ?1 AND (?2 = '' OR host = ?2) AND (?3 = 1 OR closed_at IS NULL) "
            "ORDER BY id DESC LIMIT ?4";
        std::vector<Report> reports;
        connection.run(sql,
                       {filter.before, filter.host, std::int64_t{filter.withClosed}, filter.most},
                       [&](const SqlRow& row) { reports.push_back(readReport(row)); });
        return reports;
    };
    return database_.read(std::move(work));
}

Task<std::optional<Report>> ReportStore::find(std::int64_t id) {
    auto work = [id](SqlConnection& connection) {
        static const std::string sql = std::string{columns} + "WHERE id = ?1";
        std::optional<Report> report;
        connection.run(sql, {id}, [&](const SqlRow& row) { report = readReport(row); });
        if (report)
            connection.run(
                "SELECT sent_at, stanza FROM report_message WHERE report = ?1 ORDER BY place", {id},
                [&](const SqlRow& row) {
                    report->messages.push_back(
                        {fromMilliseconds(row.integer(0)), std::string{row.blob(1)}});
                });
        return report;
    };
    return database_.read(std::move(work));
}

Task<bool> ReportStore::close(std::int64_t id, std::string note, WallTime now) {
    auto work = [id, note = std::move(note), now](SqlConnection& connection) {
        return connection.run(
                   "UPDATE report SET closed_at = ?2, note = ?3 WHERE id = ?1 "
                   "AND closed_at IS NULL",
                   {id, toMilliseconds(now), note}) != 0;
    };
    return database_.write(std::move(work));
}

Task<std::int64_t> ReportStore::expire(WallTime before, std::int64_t most) {
    auto work = [before, most](SqlConnection& connection) {
        std::vector<std::int64_t> old;
        connection.run("SELECT id FROM report WHERE reported_at < ?1 ORDER BY reported_at LIMIT ?2",
                       {toMilliseconds(before), most},
                       [&](const SqlRow& row) { old.push_back(row.integer(0)); });
        for (const std::int64_t id : old) {
            connection.run("DELETE FROM report_message WHERE report = ?1", {id});
            connection.run("DELETE FROM report WHERE id = ?1", {id});
        }
        return std::int64_t(old.size());
    };
    return database_.write(std::move(work));
}

}  // namespace epode
