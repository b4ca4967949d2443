// exp, tanh and the tanh form of gelu on vectors: about two units in the last place, NaN and
// infinities as in <cmath>. The polynomials are our own minimax fits (iteratively reweighted least
// squares, relative error given).
#pragma once

#include "kernels/simd/common.h"

namespace gemma3n::simd {

// e^x. Subnormal results come out right; below -104 it is 0, above 88.8 infinity.
template <class S>
G3N_INLINE typename S::F Exp(typename S::F x) {
  x = S::Min(S::Set1(90.0f), S::Max(S::Set1(-105.0f), x));  // in this order NaN stays
  const auto n = S::Round(S::Mul(x, S::Set1(1.44269504f)));
  // r = x - n ln 2, |r| <= ln 2 / 2; ln 2 in two parts, the first short enough for an exact
  // product.
  auto r = S::Fnma(n, S::Set1(0.693145751953125f), x);
  r = S::Fnma(n, S::Set1(1.42860682e-06f), r);
  // e^r = 1 + r + r^2 P(r), error 3.3e-9
  auto p = S::Set1(1.381316113e-03f);
  p = S::Fma(p, r, S::Set1(8.369410762e-03f));
  p = S::Fma(p, r, S::Set1(4.166845599e-02f));
  p = S::Fma(p, r, S::Set1(1.666651486e-01f));
  p = S::Fma(p, r, S::Set1(4.999999306e-01f));
  p = S::Add(S::Fma(S::Mul(r, r), p, r), S::Set1(1.0f));
  return S::Scale2(p, n);
}

template <class S>
G3N_INLINE typename S::F Tanh(typename S::F x) {
  const auto one = S::Set1(1.0f), magnitude = S::Abs(x);
  // |x| < 0.55: x + x z P(z), z = x^2, error 1.0e-9
  const auto z = S::Mul(x, x);
  auto p = S::Set1(-6.274239097e-03f);
  p = S::Fma(p, z, S::Set1(2.107167870e-02f));
  p = S::Fma(p, z, S::Set1(-5.385230980e-02f));
  p = S::Fma(p, z, S::Set1(1.333258614e-01f));
  p = S::Fma(p, z, S::Set1(-3.333331756e-01f));
  const auto small = S::Fma(S::Mul(x, z), p, x);
  const auto e = Exp<S>(S::Add(magnitude, magnitude));
  const auto large = S::Sub(one, S::Div(S::Set1(2.0f), S::Add(e, one)));
  return S::CopySign(S::SelectLess(magnitude, S::Set1(0.55f), small, large), x);
}

// x (1 + tanh u) / 2 = x / (1 + e^-2u), u = sqrt(2 / pi) (x + 0.044715 x^3): no cancellation where
// tanh is near -1.
template <class S>
G3N_INLINE typename S::F Gelu(typename S::F x) {
  const auto cubic = S::Fma(S::Mul(S::Mul(x, x), x), S::Set1(0.044715f), x);
  const auto e = Exp<S>(S::Mul(cubic, S::Set1(-1.5957691216057308f)));
  return S::Div(x, S::Add(S::Set1(1.0f), e));
}

}  // namespace gemma3n::simd
