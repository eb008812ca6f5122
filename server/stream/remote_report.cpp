#include "stream/remote_report.h"

namespace epode {

std::string_view toText(RemoteStep step) {
    switch (step) {
        case RemoteStep::Rules:
            return "rules";
        case RemoteStep::Dns:
            return "dns";
        case RemoteStep::Connection:
            return "connection";
        case RemoteStep::Tls:
            return "tls";
        case RemoteStep::Certificate:
            return "certificate";
        case RemoteStep::Stream:
            return "stream";
        case RemoteStep::Authentication:
            return "authentication";
        case RemoteStep::Delivery:
            break;
    }
    return "delivery";
}

StanzaError RemoteFailure::toError() const {
    const auto type =
        condition == Condition::RemoteServerTimeout ? ErrorType::Wait : usualType(condition);
    return {type, condition, text};
}

}  // namespace epode
