#pragma once

#include <exception>
#include <string>

namespace epode::test {

// The text of what `work` throws; empty when it throws nothing.
template <typename Work>
std::string failureOf(Work work) {
    try {
        work();
    } catch (const std::exception& failure) {
        return failure.what();
    }
    return "";
}

}  // namespace epode::test
