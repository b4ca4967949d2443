// The library's edge: what a standard container or a caller's callback throws becomes a Status.
#pragma once

#include <exception>
#include <new>

#include "base/result.h"

namespace gemma3n {

template <typename Body>
auto Guard(const Body& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return Error(StatusCode::kResourceExhausted, "out of memory");
  } catch (const std::exception& e) {
    return Error(StatusCode::kInternal, "unexpected exception: {}", e.what());
  }
}

}  // namespace gemma3n
