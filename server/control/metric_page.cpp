#include "control/metric_page.h"

#include "core/metric.h"

namespace epode {

std::string renderMetrics() {
    std::string page =
        "# Metrics\n\n"
        "Made from the declarations in the code. `epodectl metrics` shows them, `epodectl metrics "
        "--prometheus` in the text\n"
        "format of Prometheus. Counters count from the start of the server, those of a plugin from "
        "its "
        "loading.\n\n"
        "| Metric | Kind | Meaning |\n| --- | --- | --- |\n";
    for (const Metric* metric : Metric::all())
        page += "| `" + std::string{metric->name()} + "` | " +
                (metric->kind() == Metric::Kind::Counter ? "counter" : "gauge") + " | " +
                std::string{metric->help()} + " |\n";
    return page;
}

}  // namespace epode
