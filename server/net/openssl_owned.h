// OpenSSL's objects with their owners.
//
//     const Owned<X509, X509_free> certificate{…};
#pragma once

#include <memory>

namespace epode {

template <typename T, void (*release)(T*)>
struct Release {
    void operator()(T* object) const { release(object); }
};
template <typename T, void (*release)(T*)>
using Owned = std::unique_ptr<T, Release<T, release>>;

}  // namespace epode
