#include "server/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gemma3n::server {
namespace {

using ::testing::HasSubstr;

TEST(HistogramTest, BucketsCountAllUpToTheirBound) {
  Histogram histogram({0.1, 1});
  for (const double seconds : {0.05, 0.1, 0.5, 3.0}) histogram.Observe(seconds);
  std::string text;
  histogram.Print("h", "Help", text);
  EXPECT_EQ(text,
            "# HELP h Help\n# TYPE h histogram\nh_bucket{le=\"0.1\"} 2\nh_bucket{le=\"1\"} 3\n"
            "h_bucket{le=\"+Inf\"} 4\nh_sum 3.65\nh_count 4\n");
}

TEST(MetricsTest, CountsRequestsByRouteAndStatus) {
  Metrics metrics;
  metrics.RequestDone("/v1/models", 200, 0.01);
  metrics.RequestDone("/v1/models", 200, 0.01);
  metrics.RequestDone("/v1/models", 401, 0.01);
  SchedulerStats stats;
  stats.generated_tokens = 12345678901;
  const std::string text = metrics.Text(stats);
  EXPECT_THAT(text,
              HasSubstr("gemma3n_http_requests_total{route=\"/v1/models\",status=\"200\"} 2\n"));
  EXPECT_THAT(text,
              HasSubstr("gemma3n_http_requests_total{route=\"/v1/models\",status=\"401\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("gemma3n_generated_tokens_total 12345678901\n"));
  EXPECT_THAT(text, HasSubstr("gemma3n_http_request_seconds_count 3\n"));
}

}  // namespace
}  // namespace gemma3n::server
