// A daemon of nothing but the control floor: how main() puts the parts together, in small.
#include "control/control_socket.h"
#include "control/daemon.h"
#include "control/log_sink.h"
#include "control/notify.h"
#include "control/server_commands.h"
#include "control/server_options.h"
#include "tests/control/support/thread_executor.h"

#include <cstdio>
#include <mutex>

using namespace epode;

namespace {

int serve(const StartRequest& request, const OptionList& options) {
    Signals signals;
    auto read = loadConfig(request, options);
    if (!read.ok()) {
        std::fputs(read.report().c_str(), stderr);
        return 1;
    }
    std::mutex mutex;
    ConfigPtr config = read.config;
    const LogInstallation logs{logTarget(config->settings->get(options::logTarget),
                                         config->settings->get(options::logFormat))};
    applyLogLevels(*config->settings);
    const InstanceLock lock{dataFolder(*config->settings)};
    raiseFileLimit();

    auto controls = std::make_shared<ServerControls>();
    controls->version = "0.1.0";
    controls->started = std::chrono::steady_clock::now();
    controls->config = [&] {
        const std::lock_guard guard{mutex};
        return config;
    };
    controls->options = [&] { return options; };
    controls->read = [&](const std::optional<NamedText>& text) {
        return text ? readConfig(text->text, text->name, options, request.overrides)
                    : loadConfig(request, options);
    };
    controls->apply = [&](ConfigPtr next, const ConfigChanges&) -> Task<> {
        const std::lock_guard guard{mutex};
        config = std::move(next);
        co_return;
    };
    controls->stop = [&] { signals.raise(Signals::Event::Stop); };
    controls->restart = controls->stop;

    CommandRegistry registry;
    const auto registrations = addServerCommands(registry, controls);
    test::ThreadExecutor executor;
    ControlSocketSettings settings;
    settings.path = controlSocketPath(*config->settings);
    settings.allow = config->settings->get(options::controlAllow);
    settings.program = "epoded 0.1.0";
    const ControlSocket socket{registry, executor, settings};

    notifyReady("serving");
    while (signals.wait() == Signals::Event::Reload) {
        executor.post([controls] { start(reloadConfig(*controls), [controls](auto&&...) {}); });
    }
    notifyStopping("stopping");
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    const auto request = parseStartRequest({arguments + 1, arguments + count});
    const auto options = serverOptions();
    if (const auto code = answerWithoutServing(request, options, "0.1.0")) return *code;
    try {
        return serve(request, options);
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "epoded: %s\n", failure.what());
        return 1;
    }
}
