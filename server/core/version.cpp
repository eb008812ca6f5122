#include "core/version.h"

namespace epode {

const std::string_view version = EPODE_VERSION;

}  // namespace epode
