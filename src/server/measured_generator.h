// A Generator that another one is, with the times of its tokens counted.
#pragma once

#include <memory>
#include <utility>

#include "server/api/generation.h"
#include "server/metrics.h"

namespace gemma3n::server {

class MeasuredGenerator : public Generator {
 public:
  // metrics must outlive every answer.
  MeasuredGenerator(std::unique_ptr<Generator> inner, Metrics& metrics)
      : inner_(std::move(inner)), metrics_(metrics) {}

  void Run(Generation generation, std::shared_ptr<Exchange> exchange,
           std::shared_ptr<Sink> sink) override;
  Result<Prompt> ReadPrompt(Generation generation) override {
    return inner_->ReadPrompt(std::move(generation));
  }

 private:
  const std::unique_ptr<Generator> inner_;
  Metrics& metrics_;
};

}  // namespace gemma3n::server
