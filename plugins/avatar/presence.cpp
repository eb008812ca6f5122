#include "presence.h"

namespace epode::avatar {

namespace {
constexpr std::string_view ns = "vcard-temp:x:update";
}

bool showHash(StanzaEdit& presence, std::string_view hash, EmptyPhoto empty) {
    const Element* x = presence->child("x", ns);
    const Element* photo = x ? x->child("photo") : nullptr;
    const std::string_view said = photo ? photo->text() : std::string_view{};
    if (hash.empty() && (!x || (photo && said.empty()))) return false;
    if (photo && said.empty() && empty == EmptyPhoto::IsClients) return false;
    if (photo && said == hash) return true;
    Element& root = presence.change().edit();
    root.removeChildren([](const Element& child) { return child.is("x", ns); });
    Element& shown = root.add("x", ns).add("photo");
    if (!hash.empty()) shown.addText(hash);
    return true;
}

}  // namespace epode::avatar
