// Operations on one row of float32; what each means is in kernel_table.h.
#pragma once

#include "kernels/simd/common.h"
#include "kernels/simd/math.h"

namespace gemma3n::simd {

// Calls body(i, count) with count = kLanes for each whole vector, then once with the rest if there
// is any.
template <class S, class Body>
G3N_INLINE void ForVectors(int64_t n, Body body) {
  int64_t i = 0;
  for (; i + S::kLanes <= n; i += S::kLanes) body(i, int64_t{S::kLanes});
  if (i < n) body(i, n - i);
}

template <class S>
G3N_INLINE typename S::F LoadPart(const float* p, int64_t count) {
  return count == S::kLanes ? S::Load(p) : S::LoadN(p, count);
}

template <class S>
G3N_INLINE void StorePart(float* p, typename S::F v, int64_t count) {
  if (count == S::kLanes) return S::Store(p, v);
  S::StoreN(p, v, count);
}

// y = f(x)
template <class S, class Fn>
G3N_INLINE void Map(const float* x, float* y, int64_t n, Fn f) {
  ForVectors<S>(n, [&](int64_t i, int64_t count)
                       G3N_LAMBDA { StorePart<S>(y + i, f(LoadPart<S>(x + i, count)), count); });
}

// out = f(a, b)
template <class S, class Fn>
G3N_INLINE void Map(const float* a, const float* b, float* out, int64_t n, Fn f) {
  ForVectors<S>(n, [&](int64_t i, int64_t count) G3N_LAMBDA {
    StorePart<S>(out + i, f(LoadPart<S>(a + i, count), LoadPart<S>(b + i, count)), count);
  });
}

template <class S>
float Dot(const float* a, const float* b, int64_t n) {
  typename S::F sum[4] = {S::Zero(), S::Zero(), S::Zero(), S::Zero()};
  int64_t i = 0;
  for (; i + 4 * S::kLanes <= n; i += 4 * S::kLanes) {
    G3N_UNROLL
    for (int j = 0; j < 4; ++j) {
      sum[j] = S::Fma(S::Load(a + i + j * S::kLanes), S::Load(b + i + j * S::kLanes), sum[j]);
    }
  }
  ForVectors<S>(n - i, [&](int64_t j, int64_t count) G3N_LAMBDA {
    sum[0] = S::Fma(LoadPart<S>(a + i + j, count), LoadPart<S>(b + i + j, count), sum[0]);
  });
  return S::ReduceAdd(S::Add(S::Add(sum[0], sum[1]), S::Add(sum[2], sum[3])));
}

template <class S>
float SumSquares(const float* x, int64_t n) {
  return Dot<S>(x, x, n);
}

template <class S>
void RmsNorm(const float* x, const float* w, float* y, int64_t n, float eps) {
  const float mean = SumSquares<S>(x, n) / static_cast<float>(n);
  const auto factor = S::Set1(1.0f / __builtin_sqrtf(mean + eps));
  if (w == nullptr) return Map<S>(x, y, n, [&](auto v) G3N_LAMBDA { return S::Mul(v, factor); });
  Map<S>(x, w, y, n,
         [&](auto v, auto weight) G3N_LAMBDA { return S::Mul(S::Mul(v, factor), weight); });
}

template <class S>
void RmsNormGelu(const float* x, const float* w, float* y, int64_t n, float eps) {
  const float mean = SumSquares<S>(x, n) / static_cast<float>(n);
  const auto factor = S::Set1(1.0f / __builtin_sqrtf(mean + eps));
  if (w == nullptr) {
    return Map<S>(x, y, n, [&](auto v) G3N_LAMBDA { return Gelu<S>(S::Mul(v, factor)); });
  }
  Map<S>(x, w, y, n, [&](auto v, auto weight) G3N_LAMBDA {
    return Gelu<S>(S::Mul(S::Mul(v, factor), weight));
  });
}

template <class S>
void Add(const float* x, float* y, int64_t n) {
  Map<S>(x, y, y, n, [](auto a, auto b) G3N_LAMBDA { return S::Add(b, a); });
}

template <class S>
void Axpy(float a, const float* x, float* y, int64_t n) {
  const auto factor = S::Set1(a);
  Map<S>(x, y, y, n, [&](auto v, auto sum) G3N_LAMBDA { return S::Fma(factor, v, sum); });
}

// kCount > 0: that many rows, whose values stay in registers.
template <class S, int kCount>
G3N_INLINE void MixVector(const float* coefs, int64_t count, const float* const* x, float* const* y,
                          int64_t i, int64_t part) {
  const auto load = [&](int64_t b) G3N_LAMBDA { return LoadPart<S>(x[b] + i, part); };
  typename S::F v[kCount > 0 ? kCount : 1];
  G3N_UNROLL
  for (int b = 0; b < kCount; ++b) v[b] = load(b);
  G3N_UNROLL
  for (int64_t a = 0; a < (kCount > 0 ? kCount : count); ++a) {
    auto sum = kCount > 0 ? v[a] : load(a);
    for (int64_t b = 0; b < (kCount > 0 ? kCount : count); ++b)
      sum = S::Fma(S::Set1(coefs[a * count + b]), kCount > 0 ? v[b] : load(b), sum);
    StorePart<S>(y[a] + i, sum, part);
  }
}

template <class S>
void Mix(const float* coefs, int64_t count, const float* const* x, float* const* y, int64_t n) {
  ForVectors<S>(n, [&](int64_t i, int64_t part) G3N_LAMBDA {
    if (count == 4) return MixVector<S, 4>(coefs, 4, x, y, i, part);
    MixVector<S, 0>(coefs, count, x, y, i, part);
  });
}

template <class S, int kCount>
G3N_INLINE void CorrectVector(const float* coefs, int64_t count, int64_t active, const float* x,
                              float* const* y, int64_t i, int64_t part) {
  const auto change = S::Sub(LoadPart<S>(x + i, part), LoadPart<S>(y[active] + i, part));
  G3N_UNROLL
  for (int64_t a = 0; a < (kCount > 0 ? kCount : count); ++a) {
    const auto sum = S::Fma(S::Set1(coefs[a]), change, LoadPart<S>(y[a] + i, part));
    StorePart<S>(y[a] + i, sum, part);
  }
}

template <class S>
void Correct(const float* coefs, int64_t count, int64_t active, const float* x, float* const* y,
             int64_t n) {
  ForVectors<S>(n, [&](int64_t i, int64_t part) G3N_LAMBDA {
    if (count == 4) return CorrectVector<S, 4>(coefs, 4, active, x, y, i, part);
    CorrectVector<S, 0>(coefs, count, active, x, y, i, part);
  });
}

template <class S>
void Scale(float a, float* y, int64_t n) {
  const auto factor = S::Set1(a);
  Map<S>(y, y, n, [&](auto v) G3N_LAMBDA { return S::Mul(v, factor); });
}

template <class S>
void Mul(const float* x, float* y, int64_t n) {
  Map<S>(x, y, y, n, [](auto a, auto b) G3N_LAMBDA { return S::Mul(b, a); });
}

template <class S>
void GeluMul(const float* g, const float* u, float* y, int64_t n) {
  Map<S>(g, u, y, n, [](auto gate, auto up) G3N_LAMBDA { return S::Mul(Gelu<S>(gate), up); });
}

template <class S>
void SigmoidMul(const float* a, const float* b, float* y, int64_t n) {
  Map<S>(a, b, y, n, [](auto v, auto gate) G3N_LAMBDA {
    return S::Div(v, S::Add(S::Set1(1.0f), Exp<S>(S::Sub(S::Zero(), gate))));
  });
}

template <class S>
void MulAdd(const float* a, const float* b, float* y, int64_t n) {
  ForVectors<S>(n, [&](int64_t i, int64_t count) G3N_LAMBDA {
    const auto sum =
        S::Fma(LoadPart<S>(a + i, count), LoadPart<S>(b + i, count), LoadPart<S>(y + i, count));
    StorePart<S>(y + i, sum, count);
  });
}

template <class S>
void Softmax(float* x, int64_t n) {
  if (n <= 0) return;
  auto max = S::Set1(x[0]);
  int64_t i = 0;
  for (; i + S::kLanes <= n; i += S::kLanes) max = S::Max(max, S::Load(x + i));
  float top = S::ReduceMax(max);
  for (; i < n; ++i) top = x[i] > top ? x[i] : top;
  const auto shift = S::Set1(top);
  auto sum = S::WideZero();
  for (i = 0; i + S::kLanes <= n; i += S::kLanes) {
    const auto e = Exp<S>(S::Sub(S::Load(x + i), shift));
    S::Store(x + i, e);
    sum = S::WideAdd(sum, S::Widen(e));
  }
  double total = S::WideReduce(sum);
  if (i < n) {
    S::StoreN(x + i, Exp<S>(S::Sub(S::LoadN(x + i, n - i), shift)), n - i);
    for (; i < n; ++i) total += static_cast<double>(x[i]);
  }
  Scale<S>(static_cast<float>(1.0 / total), x, n);
}

template <class S>
void Softcap(float* x, int64_t n, float cap) {
  const auto c = S::Set1(cap);
  Map<S>(x, x, n, [&](auto v) G3N_LAMBDA { return S::Mul(c, Tanh<S>(S::Div(v, c))); });
}

template <class S>
void GaussianTopk(float* x, int64_t n, float z) {
  if (n <= 0) return;
  const auto count = static_cast<double>(n);
  const int64_t whole = n - n % S::kLanes;
  auto sum = S::WideZero();
  for (int64_t i = 0; i < whole; i += S::kLanes) sum = S::WideAdd(sum, S::Widen(S::Load(x + i)));
  double total = S::WideReduce(sum);
  for (int64_t i = whole; i < n; ++i) total += static_cast<double>(x[i]);
  const double mean = total / count;
  const auto centre = S::WideSet1(mean);
  auto squares = S::WideZero();
  for (int64_t i = 0; i < whole; i += S::kLanes) {
    const auto d = S::WideSub(S::Widen(S::Load(x + i)), centre);
    squares = S::WideFma(d, d, squares);
  }
  total = S::WideReduce(squares);
  for (int64_t i = whole; i < n; ++i) total += (x[i] - mean) * (x[i] - mean);
  const auto cut =
      S::Set1(static_cast<float>(mean + __builtin_sqrt(total / count) * static_cast<double>(z)));
  Map<S>(x, x, n,
         [&](auto v) G3N_LAMBDA { return S::Max(S::Zero(), S::Sub(v, cut)); });  // NaN stays NaN
}

template <class S>
void Rope(float* x, const float* cos, const float* sin, int64_t n) {
  const int64_t half = n / 2;
  ForVectors<S>(half, [&](int64_t i, int64_t count) G3N_LAMBDA {
    const auto a = LoadPart<S>(x + i, count), b = LoadPart<S>(x + half + i, count);
    const auto c = LoadPart<S>(cos + i, count), s = LoadPart<S>(sin + i, count);
    StorePart<S>(x + i, S::Sub(S::Mul(a, c), S::Mul(b, s)), count);
    StorePart<S>(x + half + i, S::Add(S::Mul(b, c), S::Mul(a, s)), count);
  });
}

}  // namespace gemma3n::simd
