#include "net/transport.h"

namespace epode {

void Transport::move(std::unique_ptr<Transport> transport, Executor& to,
                     UniqueFunction<void(std::unique_ptr<Transport>)> arrived) {
    auto& moving = *transport;
    moving.doMove(std::move(transport), to, std::move(arrived));
}

}  // namespace epode
