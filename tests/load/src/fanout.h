// What is sent once and arrives at several: a sender goes on when all of them have it.
#pragma once
#include "messenger.h"

class Fanout : public Messenger {
public:
    using Messenger::Messenger;

    // `receivers` of every flow, and who they are: flow and place in it, of a connection.
    void prepare(uint32_t receivers) {
        receivers_ = receivers;
        checks_.assign(flows.size() * receivers, SeqCheck{});
        left_.assign(flows.size(), std::vector<uint32_t>(ringSize, 0));
    }
    void onSent(uint32_t flow, uint32_t seq) override {
        left_[flow][seq % ringSize] = receivers_;
        expected_ += receivers_;
    }
    uint64_t expected() override { return expected_; }

protected:
    // One of the receivers of this flow, the `place`th, has got what `tag` says.
    void arrived(const Tag& tag, uint32_t place, uint64_t now) {
        Flow& flow = flows[tag.flow];
        if (place >= receivers_ || tag.seq >= flow.seq) {
            alien++;
            return;
        }
        const int order = checks_[size_t(tag.flow) * receivers_ + place].see(tag.seq);
        if (order == 1) gaps++;
        if (order == 2) late++;
        if (order == 3) {
            dup++;
            return;
        }
        delivered++;
        flow.recvd++;
        flow.lastProgress = lastAny = now;
        if (measuring) {
            deliveredWin++;
            lat.add(now > tag.ts ? now - tag.ts : 0);
        }
        uint32_t& left = left_[tag.flow][tag.seq % ringSize];
        if (left > 0 && --left > 0) return;
        if (flow.inflight > 0) flow.inflight--;
        if (sending && options.rate <= 0) fill(tag.flow);
    }

private:
    static constexpr uint32_t ringSize = 4096;  // more than may be in flight
    uint32_t receivers_ = 0;
    uint64_t expected_ = 0;
    std::vector<SeqCheck> checks_;  // of each receiver of each flow
    std::vector<std::vector<uint32_t>>
        left_;  // receivers that don't have it yet, by flow and number
};
