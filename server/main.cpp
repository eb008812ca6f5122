// epoded: the server. What it does at its start, in order.
#include "control/application.h"
#include "control/daemon.h"
#include "control/schema.h"
#include "core/version.h"

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

int main(int argc, char** argv) {
    using namespace epode;
    try {
        const auto request = parseStartRequest(std::vector<std::string>(argv + 1, argv + argc));
        auto plugins = std::make_unique<PluginHost>(findPluginDirectory(request));
        const auto options = allOptions(*plugins);
        if (const auto status = answerWithoutServing(request, options, std::string{version})) return *status;

        const auto config = loadConfig(request, options);
        if (!config.ok()) {
            std::fputs(config.report().c_str(), stderr);
            return 1;
        }
        if (request.what == StartRequest::What::Migrate) {
            return migrateByCommand(*config.config, *plugins,
                                    request.isDryRun ? MigrationMode::DryRun : MigrationMode::Run);
        }
        const std::string program = programPath();
        bool isRestart = false;
        {
            Signals signals;  // before any thread is started
            Application application{request, config.config, std::move(plugins), signals};
            isRestart = application.run();
        }
        if (isRestart) startAnew(program, argv);
        return 0;
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "epoded: %s\n", failure.what());
        return 1;
    }
}
