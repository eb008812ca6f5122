#include "control/log_sink.h"

#include "tests/control/support/failure.h"
#include "tests/control/support/temporary_folder.h"
#include "tests/support/catch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace epode;

namespace {

const WallTime noon = fromMilliseconds(1'795'176'000'123);

std::string format(const LogLine& line, LogStyle style = {}) {
    std::string text;
    formatLogLine(text, line, noon, style);
    return text;
}

std::string withField(std::string_view value, LogStyle style = {}) {
    const std::initializer_list<LogField> fields{{"name", value}};
    return format({LogLevel::Info, "stream", "seen", fields}, style);
}

LogStyle json() { return {LogFormat::Json, Colour::Off, Journal::No}; }

// A pipe whose reader reads when it is told to.
struct Pipe {
    Pipe() {
        if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error{"no pipe"};
    }
    ~Pipe() {
        close(ends[0]);
        if (ends[1] >= 0) close(ends[1]);
    }
    std::string readAll() {
        close(ends[1]);
        ends[1] = -1;
        std::string text;
        char bytes[65536];
        for (ssize_t got = 0; (got = read(ends[0], bytes, sizeof bytes)) > 0;) {
            text.append(bytes, static_cast<std::size_t>(got));
        }
        return text;
    }
    int ends[2];
};

LogTarget fileTarget(const std::string& path) {
    LogTarget target;
    target.path = path;
    return target;
}

}  // namespace

TEST_CASE("a line for people has time, level, area, text and fields") {
    const std::initializer_list<LogField> fields{
        {"account", "juliet@capulet.example"}, {"bytes", 42}, {"share", 0.5}, {"new", true}};
    const LogLine line{LogLevel::Notice, "stream", "session resumed", fields};
    CHECK(format(line) ==
          "2026-11-20T12:00:00.123Z notice  stream    session resumed "
          "account=juliet@capulet.example bytes=42 share=0.5 new=true\n");
    CHECK(
        format(line, json()) ==
        "{\"time\":\"2026-11-20T12:00:00.123Z\",\"level\":\"notice\",\"area\":\"stream\",\"text\":"
        "\"session resumed\",\"fields\":{\"account\":\"juliet@capulet.example\",\"bytes\":42,"
        "\"share\":0.5,\"new\":true}}\n");
    CHECK(
        format(line, {LogFormat::Text, Colour::Off, Journal::Yes}) ==
        "<5>stream: session resumed account=juliet@capulet.example bytes=42 share=0.5 new=true\n");
    CHECK(format(line, {LogFormat::Text, Colour::On, Journal::No}).find("\033[1mnotice") !=
          std::string::npos);
}

TEST_CASE("the journal gets the priority of each level") {
    const LogStyle journal{LogFormat::Json, Colour::Off, Journal::Yes};
    CHECK(format({LogLevel::Debug, "a", "t", {}}, journal).starts_with("<7>{"));
    CHECK(format({LogLevel::Info, "a", "t", {}}, journal).starts_with("<6>{"));
    CHECK(format({LogLevel::Warning, "a", "t", {}}, journal).starts_with("<4>{"));
    CHECK(format({LogLevel::Error, "a", "t", {}}, journal).starts_with("<3>{"));
}

TEST_CASE("no field can forge a line, a field or an order to the terminal") {
    struct Row {
        std::string_view value;
        std::string_view text;
        std::string_view json;
    };
    using namespace std::string_view_literals;
    const auto row = GENERATE(values<Row>({
        {"plain", "name=plain", "\"plain\""},
        {"", "name=\"\"", "\"\""},
        {"two words", "name=\"two words\"", "\"two words\""},
        {"a=b", "name=\"a=b\"", "\"a=b\""},
        {"x\n2026-11-20T12:00:00.000Z error forged",
         "name=\"x\\n2026-11-20T12:00:00.000Z error forged\"",
         "\"x\\n2026-11-20T12:00:00.000Z error forged\""},
        {"\r\n<3>root", "name=\"\\r\\n<3>root\"", "\"\\u000d\\n<3>root\""},
        {"\" admin=true", "name=\"\\\" admin=true\"", "\"\\\" admin=true\""},
        {"\\", "name=\"\\\\\"", "\"\\\\\""},
        {"\033[2J", "name=\"\\x1b[2J\"", "\"\\u001b[2J\""},
        {"a\0b"sv, "name=\"a\\x00b\"", "\"a\\u0000b\""},
        {"\x7f", "name=\"\\x7f\"", "\"\\u007f\""},
        {"\xc2\x9b", "name=\"\\xc2\\x9b\"", "\"\xc2\x9b\""},               // C1, a terminal's CSI
        {"\xe2\x80\xae", "name=\"\\xe2\\x80\\xae\"", "\"\xe2\x80\xae\""},  // right-to-left override
        {"\xff\xfe", "name=\"\\xff\\xfe\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xe2\x82", "name=\"\\xe2\\x82\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xed\xa0\x80", "name=\"\\xed\\xa0\\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"Roméo", "name=\"Roméo\"", "\"Roméo\""},
    }));
    const auto text = withField(row.value);
    CHECK(text ==
          "2026-11-20T12:00:00.123Z info    stream    seen " + std::string{row.text} + "\n");
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    const auto object = withField(row.value, json());
    CHECK(object.find(",\"fields\":{\"name\":" + std::string{row.json} + "}}\n") !=
          std::string::npos);
}

TEST_CASE("what JSON cannot say is null") {
    const std::initializer_list<LogField> fields{{"share", 1.0 / 0.0}};
    CHECK(format({LogLevel::Info, "a", "t", fields}, json()).find("\"share\":null") !=
          std::string::npos);
}

TEST_CASE("lines reach the file in order, and after a rotation the new file") {
    const test::TemporaryFolder folder;
    LogWriter writer{fileTarget(folder / "log"), LogWriter::queueBytesMax, [] { return noon; }};
    for (int i = 0; i < 1000; ++i) {
        const std::initializer_list<LogField> fields{{"number", i}};
        writer.write({LogLevel::Info, "test", "line", fields});
    }
    writer.flush();
    const auto text = folder.read("log");
    CHECK(std::count(text.begin(), text.end(), '\n') == 1000);
    CHECK(text.find("number=0\n") < text.find("number=999\n"));

    std::filesystem::rename(folder / "log", folder / "log.1");
    writer.reopen();
    writer.write({LogLevel::Info, "test", "wakes the writer", {}});
    writer.flush();
    writer.write({LogLevel::Info, "test", "after the rotation", {}});
    writer.flush();
    CHECK(folder.read("log").find("after the rotation") != std::string::npos);
    CHECK(folder.read("log.1").find("after the rotation") == std::string::npos);
}

TEST_CASE("a file that cannot be opened is told at once") {
    CHECK(test::failureOf([&] {
              (LogWriter{fileTarget("/nowhere/epode.log")});
          }).find("the log file /nowhere/epode.log cannot be opened") != std::string::npos);
}

TEST_CASE("a reader that does not read blocks nobody, and what was lost is told") {
    Pipe pipe;
    std::uint64_t dropped = 0;
    constexpr std::size_t lines = 20'000;
    std::string text;
    {
        LogTarget target;
        target.descriptor = pipe.ends[1];
        LogWriter writer{target, 64u << 10, [] { return noon; }};
        // More than pipe and queue hold. All of these calls return though nobody reads.
        for (std::size_t i = 0; i < lines; ++i) writer.write({LogLevel::Info, "test", "line", {}});
        dropped = writer.dropped();
        CHECK(dropped > 0);
        std::thread reader{[&] {
            char bytes[65536];
            for (ssize_t got = 0; (got = read(pipe.ends[0], bytes, sizeof bytes)) > 0;) {
                text.append(bytes, static_cast<std::size_t>(got));
                if (text.find("the last line") != std::string::npos) return;
            }
        }};
        writer.flush();
        writer.write({LogLevel::Info, "test", "the last line", {}});
        writer.flush();
        reader.join();
    }
    // Whatever was dropped is told, in one line or several.
    std::size_t told = 0, tellings = 0;
    const std::string telling = "lines were lost lines=";
    for (auto at = text.find(telling); at != std::string::npos; at = text.find(telling, at + 1)) {
        told += std::stoul(text.substr(at + telling.size()));
        ++tellings;
    }
    CHECK(told == dropped);
    const auto got = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    CHECK(got == lines - dropped + tellings + 1);
}

TEST_CASE("a target that takes nothing costs lines, not the server") {
    LogTarget full;
    full.path = "/dev/full";
    LogWriter writer{full};
    writer.write({LogLevel::Info, "test", "line", {}});
    writer.flush();
    CHECK(writer.dropped() >= 1);
}

TEST_CASE("the target knows the journal by its stream") {
    CHECK(logTarget("journald", "text").style.journal == Journal::Yes);
    CHECK(logTarget("stderr", "json").style.format == LogFormat::Json);
    CHECK(logTarget("stderr", "json").descriptor == 2);
    CHECK(logTarget("/var/log/epode.log", "text").path == "/var/log/epode.log");

    struct stat status{};
    REQUIRE(fstat(1, &status) == 0);
    const auto stream = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
    const test::Environment journal{"JOURNAL_STREAM", stream};
    CHECK(logTarget("stdout", "text").style.journal == Journal::Yes);
    const test::Environment elsewhere{"JOURNAL_STREAM", "1:2"};
    CHECK(logTarget("stdout", "text").style.journal == Journal::No);
}

TEST_CASE("an installed log takes the lines of the whole program") {
    const test::TemporaryFolder folder;
    const Log log{"test.installed"};
    {
        const LogInstallation installation{fileTarget(folder / "log")};
        log.warning("kept");
    }
    CHECK(folder.read("log").find("warning test.installed kept\n") != std::string::npos);
}
