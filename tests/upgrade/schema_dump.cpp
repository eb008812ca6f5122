#include "tests/upgrade/schema_dump.h"

#include <array>
#include <cstdio>

namespace epode {

namespace {

std::vector<std::string> texts(Setup& setup, std::string sql) {
    return setup.await(setup.database().read([sql = std::move(sql)](SqlConnection& connection) {
        std::vector<std::string> found;
        connection.run(sql, {}, [&](const SqlRow& row) { found.emplace_back(row.text(0)); });
        return found;
    }));
}

void replaceAll(std::string& text, const std::string& what, const std::string& by) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
        text.replace(at, what.size(), by);
}

std::string dumpSqlite(Setup& setup) {
    std::string dump;
    const std::string own = " FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' AND sql NOT NULL";
    for (const auto& sql : texts(setup, "SELECT sql" + own + " ORDER BY type DESC, name"))
        dump += sql + ";\n";
    for (const auto& table :
         texts(setup, "SELECT name" + own + " AND type = 'table' ORDER BY name")) {
        std::string values;
        for (const auto& column :
             texts(setup, "SELECT name FROM pragma_table_info('" + table + "')"))
            values += (values.empty() ? "quote(" : " || ', ' || quote(") + column + ")";
        for (const auto& row : texts(setup, "SELECT " + values + " FROM " + table))
            dump += "INSERT INTO " + table + " VALUES(" + row + ");\n";
    }
    return dump;
}

std::string outputOf(const std::string& command) {
    std::string output;
    FILE* const pipe = ::popen(command.c_str(), "r");
    std::array<char, 4096> bytes;
    while (const auto got = std::fread(bytes.data(), 1, bytes.size(), pipe))
        output.append(bytes.data(), got);
    if (::pclose(pipe) != 0) throw std::runtime_error{"this failed: " + command};
    return output;
}

// What pg_dump writes, less the settings of its session and the name of the schema.
std::string dumpPostgres(Setup& setup) {
    const auto schema = texts(setup, "SELECT current_schema()::text").front();
    auto dump =
        outputOf(PostgresCluster::program("pg_dump") + " --inserts --no-owner --schema=" + schema +
                 " --dbname='" + PostgresCluster::find()->address() + "'");
    std::string kept;
    for (std::size_t at = 0; at < dump.size();) {
        const auto end = dump.find('\n', at);
        const auto line = dump.substr(at, end - at);
        at = end == std::string::npos ? dump.size() : end + 1;
        bool isKept = !line.empty();
        for (const char* dropped :
             {"--", "\\", "SET ", "CREATE SCHEMA", "SELECT pg_catalog.set_config"})
            isKept &= !line.starts_with(dropped);
        if (isKept) kept += line + "\n";
    }
    replaceAll(kept, schema + ".", "");
    return kept;
}

bool isSqlite(Setup& setup) { return setup.database().dialect() == Dialect::Sqlite; }

}  // namespace

std::string dumpOf(Setup& setup) {
    return isSqlite(setup) ? dumpSqlite(setup) : dumpPostgres(setup);
}

void loadDump(Setup& setup, const std::string& dump) {
    const auto statements = statementsOf(dump, setup.database().dialect());
    setup.await(setup.database().write([&statements](SqlConnection& connection) {
        for (const auto& statement : statements) connection.run(statement);
        return true;
    }));
}

std::string describeSchema(Setup& setup) {
    std::vector<std::string> lines;
    const auto add = [&](const std::string& sql) {
        for (auto& line : texts(setup, sql)) lines.push_back(std::move(line));
    };
    if (isSqlite(setup)) {
        add("SELECT type || ' ' || name || ': ' || coalesce(sql, '') FROM sqlite_schema "
            "WHERE name NOT LIKE 'sqlite_%'");
    } else {
        add("SELECT ('column ' || table_name || '.' || column_name || ' ' || data_type || ' ' || "
            "coalesce(collation_name, '') || ' ' || is_nullable || ' ' || is_identity || ' ' || "
            "coalesce(column_default, ''))::text FROM information_schema.columns "
            "WHERE table_schema = current_schema()");
        add("SELECT replace(indexdef, schemaname || '.', '')::text FROM pg_indexes "
            "WHERE schemaname = current_schema()");
        add("SELECT (conrelid::regclass || ': ' || pg_get_constraintdef(oid))::text "
            "FROM pg_constraint WHERE connamespace = current_schema()::regnamespace");
    }
    std::sort(lines.begin(), lines.end());
    std::string description;
    for (const auto& line : lines) {
        bool isBlank = false;
        for (const char letter : line) {
            if (letter == ' ' || letter == '\n') {
                isBlank = true;
                continue;
            }
            if (std::exchange(isBlank, false)) description += ' ';
            description += letter;
        }
        description += '\n';
    }
    return description;
}

}  // namespace epode
