#include "route/host.h"

namespace epode {

Host::Host(std::string domain, SettingsPtr settings, std::shared_ptr<const Services> services)
    : domain_{std::move(domain)},
      jid_{*Jid::parse(domain_)},
      settings_{std::move(settings)},
      limits_{*settings_, domain_},
      services_{std::move(services)},
      readers_{services_} {}

void Host::replace(SettingsPtr settings) {
    settings_ = std::move(settings);
    limits_ = SessionLimits{*settings_, domain_};
}

}  // namespace epode
