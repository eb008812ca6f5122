#include "tests/support/catch.h"

#include "core/log.h"
#include "core/metric.h"

#include <string>
#include <vector>

using namespace epode;

namespace {

// Collects what is logged while it lives.
class CollectedLog {
public:
    CollectedLog() {
        setLogSink([this](const LogLine& line) {
            std::string text{toText(line.level)};
            text.append(" ").append(line.area).append(": ").append(line.text);
            for (const auto& field : line.fields) {
                text.append(" ").append(field.key).append("=");
                if (const auto* value = std::get_if<std::string_view>(&field.value)) text += *value;
                if (const auto* value = std::get_if<std::int64_t>(&field.value)) {
                    text += std::to_string(*value);
                }
                if (const auto* value = std::get_if<bool>(&field.value))
                    text += *value ? "yes" : "no";
            }
            lines.push_back(text);
        });
    }
    ~CollectedLog() {
        setLogSink({});
        setLogLevel("", LogLevel::Info);
        setLogLevel("test", LogLevel::Info);
    }
    std::vector<std::string> lines;
};

const Log testLog{"test"};
const Log otherLog{"other"};

}  // namespace

TEST_CASE("a line goes to the sink with its area and fields") {
    CollectedLog collected;
    const std::string address = "juliet@capulet.example";
    testLog.info("logged in", {{"account", address}, {"streams", 2}, {"first", true}});
    testLog.error("disk full");
    CHECK(collected.lines ==
          std::vector<std::string>{
              "info test: logged in account=juliet@capulet.example streams=2 first=yes",
              "error test: disk full"});
}

TEST_CASE("lines below the level of their area are not written") {
    CollectedLog collected;
    testLog.debug("silent by default");
    CHECK(collected.lines.empty());

    setLogLevel("test", LogLevel::Debug);
    testLog.debug("heard");
    otherLog.debug("still silent");
    CHECK(collected.lines == std::vector<std::string>{"debug test: heard"});

    setLogLevel("", LogLevel::Error);
    CHECK(logLevel("other") == LogLevel::Error);
    CHECK(logLevel("test") == LogLevel::Debug);
    otherLog.warning("silent");
    CHECK_FALSE(otherLog.isOn(LogLevel::Warning));
    CHECK(otherLog.isOn(LogLevel::Error));

    setLogLevel("test", LogLevel::Off);
    testLog.error("nothing at all");
    CHECK(collected.lines.size() == 1);
}

TEST_CASE("a metric is listed by name while it exists") {
    const auto named = [](std::string_view name) {
        std::size_t found = 0;
        for (const auto* metric : Metric::all()) found += metric->name() == name;
        return found;
    };
    {
        Counter counter{"test_b_total", "Counts"};
        Gauge gauge{"test_a_bytes", "Measures"};
        counter.add();
        counter.add(2);
        gauge.set(7);
        gauge.add(-3);
        CHECK(counter.value() == 3);
        CHECK(gauge.value() == 4);
        CHECK(named("test_b_total") == 1);
        const auto all = Metric::all();
        CHECK(std::is_sorted(all.begin(), all.end(), [](const Metric* a, const Metric* b) {
            return a->name() < b->name();
        }));
    }
    CHECK(named("test_b_total") == 0);
}
