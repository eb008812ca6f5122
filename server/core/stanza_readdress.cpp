#include "core/stanza.h"

namespace epode {

StanzaPtr Stanza::readdressed(const StanzaPtr& stanza, Jid to) {
    // A document without an arena of its own. Nobody writes to the tree: what is shared is
    // immutable, and the copy leaves here as const.
    Document view{nullptr, const_cast<Element&>(stanza->root())};
    auto copy = std::make_shared<Stanza>(stanza->kind_, std::move(view));
    copy->shared_ = stanza->shared_ ? stanza->shared_ : stanza;
    copy->from_ = stanza->from_;
    copy->to_ = std::move(to);
    copy->id_ = stanza->id_;
    copy->lang_ = stanza->lang_;
    copy->agent_ = stanza->agent_;
    copy->inner_ = stanza->inner_;
    copy->type_ = stanza->type_;
    return copy;
}

}  // namespace epode
