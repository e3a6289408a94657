// jobhost SDK: jobhost::Json to and from the JSON libraries that are installed. SPDX-License-Identifier: Apache-2.0
//
// Include this for all that the compiler finds, or one of adapters/ alone, which compiles faster. Nothing else of the
// SDK includes them. Poco and Boost.JSON are to be linked as they say (or boost/json/src.hpp included once).
#pragma once

#if __has_include(<nlohmann/json.hpp>)
#include "adapters/nlohmann.hpp"
#endif
#if __has_include(<boost/json.hpp>)
#include "adapters/boost_json.hpp"
#endif
#if __has_include(<Poco/JSON/Object.h>)
#include "adapters/poco.hpp"
#endif
