// Each prints one JSON line and returns the exit status.
#pragma once

#include "engine.h"

int runLogin(const Options&);
int runRegister(const Options&);
int runIdle(const Options&);
int runChat(const Options&);
int runCarbons(const Options&);
int runPep(const Options&);
int runMuc(const Options&);
int runMam(const Options&);
int runRoster(const Options&);
int runPresence(const Options&);
int runCrash(const Options&);
int runVerify(const Options&);
