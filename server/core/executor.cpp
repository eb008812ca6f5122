#include "core/executor.h"

namespace epode {

namespace {
thread_local Executor* currentExecutor = nullptr;
}

Executor* Executor::current() { return currentExecutor; }

Executor::Mark::Mark(Executor& executor) : previous_{currentExecutor} {
    currentExecutor = &executor;
}

Executor::Mark::~Mark() { currentExecutor = previous_; }

}  // namespace epode
