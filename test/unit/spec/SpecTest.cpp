//===- SpecTest.cpp - text, verification and functions of specs -----------===//

#include "codegen/spec/Evaluate.h"
#include "codegen/spec/Numbers.h"
#include "test/unit/kernels/Specs.h"

#include "gtest/gtest.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

using namespace kiln;
using namespace kiln::spec;
using namespace kiln::test;

/// An extent of two operands.
KernelSpec clipped() {
  KernelSpec spec = unary(Op::Erf, 4);
  spec.symbols = {{"M", 0, 9}};
  DimExpr extent = DimExpr::min(DimExpr::symbol("M"), 3);
  for (Operand &operand : spec.operands)
    operand.shape = {extent};
  spec.stages[0].domain = {extent};
  return spec;
}

static std::vector<KernelSpec> samples() {
  KernelSpec grouped = linear(7, 50, 21);
  grouped.operands[1].panel->group = 4;
  return {linear(DimExpr::symbol("M"), 50, 24),
          grouped,
          convolution({1, 9, 9, 5, 24, 3, 2, true}),
          pool({1, 9, 9, 19, 19, 3, 2, true}, true),
          softmax(5, 10),
          argmax(3, 7),
          clipped(),
          unary(Op::Erf, 4)};
}

TEST(SpecText, ParsesToTheSameText) {
  for (KernelSpec &spec : samples())
    for (bool expands : {false, true}) {
      if (expands)
        expandMath(spec, {.hasMulAdd = true, .hasLdexp = true});
      ASSERT_EQ(verify(spec), "");
      std::string text = print(spec), error;
      std::optional<KernelSpec> again = parse(text, error);
      ASSERT_TRUE(again) << error;
      EXPECT_EQ(print(*again), text);
      EXPECT_EQ(hash(*again), hash(spec));
    }
}

TEST(SpecText, DoesNotDependOnSharing) {
  KernelSpec shared = unary(Op::Exp, 4), apart = unary(Op::Exp, 4);
  ExprPtr x = read("x", dims({0}), DType::F32), y = read("x", dims({0}), DType::F32);
  shared.stages[0].body = apply(Op::Add, {x, x});
  apart.stages[0].body = apply(Op::Add, {x, y});
  EXPECT_EQ(print(shared), print(apart));
}

TEST(SpecText, HashesDifferWithEveryFact) {
  KernelSpec spec = linear(4, 32, 8), other = spec;
  other.operands[0].alignment = 16;
  EXPECT_NE(hash(spec), hash(other));
  other = spec;
  other.schedule.parameters["rows"] = 4;
  EXPECT_NE(hash(spec), hash(other));
  other = spec;
  other.operands[1].panel->group = 4;
  EXPECT_NE(hash(spec), hash(other));
}

/// Cut and changed text gives an error or a spec, and never more.
TEST(SpecText, SurvivesHostileText) {
  std::mt19937 random(1);
  std::string error;
  int numErrors = 0;
  for (const KernelSpec &spec : samples()) {
    std::string text = print(spec);
    for (int i = 0; i < 2000; ++i) {
      std::string changed = text.substr(0, random() % (text.size() + 1));
      for (size_t k = random() % 3; k-- > 0 && !changed.empty();)
        changed[random() % changed.size()] = static_cast<char>(random() % 96 + 32);
      std::optional<KernelSpec> parsed = parse(changed, error);
      numErrors += !parsed;
      if (parsed)
        verify(*parsed);
    }
  }
  EXPECT_GT(numErrors, 1000);
}

TEST(SpecText, SaysWhichLineIsWrong) {
  std::string error;
  EXPECT_FALSE(parse("kernel\n  input x : f99 [4] strides [1] align 4\n", error));
  EXPECT_EQ(error, "line 2: expected 'NAME : TYPE [SHAPE]'");
  for (std::string word : {"panel", "panelx4", "panel16x", "panel16x4x", "dense"}) {
    EXPECT_FALSE(parse("kernel\n  input x : i8 [4, 4] " + word + " align 4\n", error)) << word;
    EXPECT_EQ(error, "line 2: expected 'panel16', 'panel16x4' or 'strides [...]'");
  }
}

TEST(SpecVerify, RefusesWhatIsMalformed) {
  KernelSpec spec = unary(Op::Exp, 4);
  spec.stages[0].body = read("z", dims({0}), DType::F32);
  EXPECT_EQ(verify(spec), "stage 'y', read of 'z': neither an input nor an earlier stage");
  spec.stages[0].body = read("x", {index(0, 1, 1)}, DType::F32);
  EXPECT_EQ(verify(spec), "stage 'y', read of 'x': coordinate leaves the extent 4");
  spec.stages[0].body = cast(read("x", dims({0}), DType::F64), DType::F32);
  EXPECT_EQ(verify(spec), "stage 'y', read of 'x': expected f32, got f64");
  spec = linear(4, 8, 8);
  spec.stages[0].init = nullptr;
  EXPECT_EQ(verify(spec), "stage 'acc': expected a constant of its type as initial value");
  spec = linear(4, 8, 8);
  for (Panel panel : {Panel{0, 1}, Panel{12, 1}, Panel{16, 3}, Panel{16, -4}, Panel{128, 1}}) {
    spec.operands[1].panel = panel;
    EXPECT_EQ(verify(spec),
              "operand 'w': width and group of a panel are powers of two, at most 64");
  }
}

/// Each element of a packed weight [N, taps, K], by the definition of its layout.
TEST(SpecEvaluate, ReadsPanels) {
  constexpr int64_t n = 19, taps = 3, depth = 6;
  for (Panel panel : {Panel{16, 1}, Panel{16, 4}, Panel{8, 2}}) {
    KernelSpec spec = unary(Op::Neg, 1, DType::I32);
    std::vector<DimExpr> shape = {n, taps, depth};
    spec.operands[0].shape = spec.operands[1].shape = spec.stages[0].domain = shape;
    spec.operands[0].panel = panel;
    spec.operands[0].strides.clear();
    spec.operands[1].strides = {taps * depth, depth, 1};
    spec.stages[0].body = read("x", dims({0, 1, 2}), DType::I32);
    ASSERT_EQ(verify(spec), "");
    auto [width, group] = panel;
    int64_t panels = (n + width - 1) / width, parts = (depth + group - 1) / group;
    ASSERT_EQ(bufferBytes(spec, spec.operands[0], {}), panels * taps * parts * width * group * 4);
    std::vector<int32_t> x(panels * taps * parts * width * group), y(n * taps * depth);
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<int32_t>(i) + 1;
    ASSERT_EQ(evaluate(spec, {x.data(), y.data()}, {}), "");
    std::vector<int32_t> rest = x;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t t = 0; t < taps; ++t)
        for (int64_t k = 0; k < depth; ++k) {
          int64_t place = (i / width * taps + t) * parts + k / group;
          place = (place * width + i % width) * group + k % group;
          EXPECT_EQ(y[(i * taps + t) * depth + k], x[place]);
          rest[place] = 0;
        }
    clearMissing(spec, spec.operands[0], {}, x.data());
    for (size_t i = 0; i < x.size(); ++i) // one of both is zero: nothing is lost, nothing left
      EXPECT_TRUE((x[i] == 0) == (rest[i] != 0)) << i;
  }
}

/// Errors are within bounds for targets with and without the instructions that functions may use.
struct SpecMath : testing::TestWithParam<MathSupport> {
  void SetUp() override { support = GetParam(); }
  static inline MathSupport support;
};
INSTANTIATE_TEST_SUITE_P(, SpecMath,
                         testing::Values(MathSupport{}, MathSupport{.hasMulAdd = true},
                                         MathSupport{.hasMulAdd = true, .hasLdexp = true}),
                         [](const testing::TestParamInfo<MathSupport> &info) {
                           return info.param.hasLdexp    ? "MulAddLdexp"
                                  : info.param.hasMulAdd ? "MulAdd"
                                                         : "Plain";
                         });

/// Runs a function over values of a type and gives the results.
template <typename T>
static std::vector<T> run(Op op, const std::vector<T> &x, DType type,
                          const std::vector<T> &y = {}) {
  KernelSpec spec = unary(y.empty() ? op : Op::Exp, static_cast<int64_t>(x.size()), type);
  std::vector<T> result(x.size());
  std::vector<void *> buffers{const_cast<T *>(x.data()), result.data()};
  if (!y.empty()) {
    spec.operands.insert(spec.operands.begin() + 1, spec.operands[0]);
    spec.operands[1].name = "other";
    spec.stages[0].body = apply(op, {read("x", dims({0}), type), read("other", dims({0}), type)});
    buffers.insert(buffers.begin() + 1, const_cast<T *>(y.data()));
  }
  expandMath(spec, SpecMath::support);
  EXPECT_EQ(verify(spec), "");
  EXPECT_EQ(evaluate(spec, buffers, {}), "");
  return result;
}

/// Distance in units of the last place of the exact value (of the smallest normal number at least).
template <typename T> static double ulps(T got, long double exact) {
  if (std::isnan(exact) || std::isinf(static_cast<T>(exact)))
    return (std::isnan(exact) ? std::isnan(got) : got == static_cast<T>(exact)) ? 0 : 1e9;
  T size = std::max(static_cast<T>(std::fabs(exact)), std::numeric_limits<T>::min());
  T unit = std::nextafter(size, std::numeric_limits<T>::infinity()) - size;
  return std::fabs(static_cast<double>((got - exact) / unit));
}

static long double normalCdf(long double x) { return std::erfc(-x * std::sqrt(0.5L)) / 2; }

struct Function {
  Op op;
  long double (*exact)(long double);
  double low, high, ulpsF32, ulpsF64;
};

template <typename T> static void checkFunction(const Function &f, DType type, double limit) {
  std::vector<T> x;
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; ++i) {
    double t = static_cast<double>(random() % 1000003) / 1000003;
    x.push_back(static_cast<T>(f.low + (f.high - f.low) * t));
    x.push_back(static_cast<T>(std::pow(10.0, t * 8 - 8) * (i % 2 && f.low < 0 ? -1 : 1)));
  }
  std::vector<T> got = run(f.op, x, type);
  double worst = 0;
  T where = 0;
  for (size_t i = 0; i < x.size(); ++i)
    if (double error = ulps(got[i], f.exact(x[i])); error > worst) {
      worst = error;
      where = x[i];
    }
  EXPECT_LE(worst, limit) << text(f.op) << " at " << where;
  std::printf("  %s %s: %.2f ulp at %g\n", std::string(text(f.op)).c_str(),
              std::string(name(type)).c_str(), worst, static_cast<double>(where));
}

TEST_P(SpecMath, ErrorsAreAsStated) {
  const Function functions[] = {
      {Op::Exp, expl, -104, 89, 1, 1},
      {Op::Exp, expl, -1, 1, 1, 1},
      {Op::Log, logl, 0, 1e30, 1, 1},
      {Op::Log, logl, 0.5, 2, 1, 1},
      {Op::Tanh, tanhl, -10, 10, 2.5, 2.5},
      {Op::Tanh, tanhl, -0.5, 0.5, 2.5, 2.5},
      {Op::Erf, erfl, -6.5, 6.5, 6, 2},
      {Op::Sin, sinl, -1e5, 1e5, 2, 2},
      {Op::Sin, sinl, -4, 4, 2, 2},
      {Op::Cos, cosl, -1e5, 1e5, 2, 2},
      {Op::NormalCdf, normalCdf, -40, 9, 7, 7},
      {Op::NormalCdf, normalCdf, -14, 3, 7, 7},
  };
  for (const Function &f : functions) {
    checkFunction<float>(f, DType::F32, f.ulpsF32);
    checkFunction<double>(f, DType::F64, f.ulpsF64);
  }
}

TEST_P(SpecMath, SpecialValues) {
  const float inf = std::numeric_limits<float>::infinity(), nan = NAN;
  const float tiny = 1e-40f;
  std::vector<float> x{inf, -inf, nan, 0.0f, -0.0f, tiny, -tiny, 200.0f, -200.0f};
  struct Case {
    Op op;
    float (*exact)(float);
  } cases[] = {{Op::Exp, std::exp}, {Op::Log, std::log}, {Op::Tanh, std::tanh},
               {Op::Erf, std::erf}, {Op::Sin, std::sin}, {Op::Cos, std::cos}};
  for (const Case &c : cases) {
    std::vector<float> got = run(c.op, x, DType::F32);
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_LE(ulps(got[i], static_cast<long double>(c.exact(x[i]))), 4)
          << text(c.op) << "(" << x[i] << ") = " << got[i];
      bool isOdd = c.op == Op::Sin || c.op == Op::Tanh || c.op == Op::Erf;
      if (isOdd && !std::isnan(got[i])) {
        EXPECT_EQ(std::signbit(got[i]), std::signbit(c.exact(x[i])))
            << text(c.op) << "(" << x[i] << ")";
      }
    }
  }
}

/// Far outside, erf is 1 and not nearly so: what gelu leaves is multiplied by the argument.
TEST_P(SpecMath, BoundedFunctionsStayInTheirRange) {
  auto sweep = [](auto zero, DType type) {
    using T = decltype(zero);
    std::vector<T> x{std::numeric_limits<T>::max(), std::numeric_limits<T>::infinity()};
    for (T value = T(1e-3); value < T(1e30); value *= T(1.001))
      x.push_back(value);
    for (size_t i = 0, n = x.size(); i < n; ++i)
      x.push_back(-x[i]);
    for (Op op : {Op::Erf, Op::Tanh}) {
      std::vector<T> got = run(op, x, type);
      for (size_t i = 0; i < x.size(); ++i) {
        ASSERT_LE(std::fabs(got[i]), T(1)) << text(op) << "(" << x[i] << ")";
        if (std::fabs(x[i]) >= T(20)) {
          ASSERT_EQ(got[i], x[i] < 0 ? T(-1) : T(1)) << text(op) << "(" << x[i] << ")";
        }
      }
    }
  };
  sweep(0.0f, DType::F32);
  sweep(0.0, DType::F64);
}

/// Values of all exponents, and the ends of the range.
template <typename T> static std::vector<T> allSizes(int count) {
  using Limits = std::numeric_limits<T>;
  std::vector<T> x{0, Limits::denorm_min(), Limits::min(), Limits::max(), Limits::infinity(), 1};
  std::mt19937_64 random(11);
  while (x.size() < static_cast<size_t>(count)) {
    int lowest = Limits::min_exponent - Limits::digits, all = Limits::max_exponent - lowest;
    T mantissa = 1 + static_cast<T>(random() >> 11) / static_cast<T>(uint64_t(1) << 53);
    x.push_back(std::ldexp(mantissa, lowest + static_cast<int>(random() % all)));
  }
  for (size_t i = 0, n = x.size(); i < n; ++i)
    x.push_back(-x[i]);
  x.push_back(NAN);
  return x;
}

template <typename T> static void checkAllSizes(Op op, DType type, auto exact, double limit) {
  std::vector<T> x = allSizes<T>(4000);
  std::vector<T> got = run(op, x, type);
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_LE(ulps(got[i], exact(static_cast<long double>(x[i]))), limit)
        << text(op) << "(" << x[i] << ") = " << got[i];
}

TEST_P(SpecMath, ArgumentsOfAllSizes) {
  auto check = [](Op op, long double (*exact)(long double), double limit) {
    checkAllSizes<float>(op, DType::F32, exact, limit);
    checkAllSizes<double>(op, DType::F64, exact, limit);
  };
  check(Op::Sin, sinl, 2);
  check(Op::Cos, cosl, 2);
  check(Op::Exp, expl, 1);
  check(Op::Log, logl, 1);
  check(Op::Tanh, tanhl, 2.5);
  check(Op::NormalCdf, normalCdf, 7);
}

/// The doubles nearest to multiples of a quarter turn, relative to their size.
TEST_P(SpecMath, NearQuarterTurns) {
  std::vector<double> x{6381956970095103.0 * 0x1p797, 5.319372648326541e+255, 1e22, 1e300};
  for (Op op : {Op::Sin, Op::Cos}) {
    std::vector<double> got = run(op, x, DType::F64);
    for (size_t i = 0; i < x.size(); ++i)
      EXPECT_LE(ulps(got[i], op == Op::Sin ? sinl(x[i]) : cosl(x[i])), 2) << x[i];
  }
}

/// Equal bits but for NaN.
template <typename T> static void checkDivision(Op op, DType type, auto exact) {
  std::vector<T> sizes = allSizes<T>(120), x, y;
  for (T a : sizes)
    for (T b : sizes) {
      x.push_back(a);
      y.push_back(b);
    }
  for (int a = -15; a <= 15; ++a)
    for (int b = -15; b <= 15; ++b) {
      x.push_back(a * T(0.1));
      y.push_back(b * T(0.1));
    }
  std::vector<T> got = run(op, x, type, y);
  for (size_t i = 0; i < x.size(); ++i) {
    T want = exact(x[i], y[i]);
    ASSERT_TRUE(std::isnan(want) ? std::isnan(got[i])
                                 : got[i] == want && std::signbit(got[i]) == std::signbit(want))
        << text(op) << " " << x[i] << " " << y[i] << ": expected " << want << ", got " << got[i];
  }
}

TEST_P(SpecMath, RemaindersAreExact) {
  auto mod = [](auto a, auto b) {
    auto rest = std::fmod(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  };
  checkDivision<float>(Op::Mod, DType::F32, mod);
  checkDivision<double>(Op::Mod, DType::F64, mod);
}

/// By the remainder: a quotient that is not whole lies below its rounded value or above.
TEST_P(SpecMath, QuotientsAreFlooredExactly) {
  auto floorDivide = [](auto a, auto b) {
    auto quotient = a / b;
    auto whole = std::floor(quotient);
    bool isWhole = whole == quotient && std::isfinite(a) && std::isfinite(b) && b != 0;
    bool isBelow =
        isWhole && std::fma(whole, b, -a) != 0 && (std::fma(whole, b, -a) < 0) == (b < 0);
    return isBelow ? whole - 1 : whole;
  };
  checkDivision<double>(Op::FloorDiv, DType::F64, floorDivide);
  checkDivision<float>(Op::FloorDiv, DType::F32, [&](float a, float b) {
    return static_cast<float>(floorDivide(static_cast<double>(a), static_cast<double>(b)));
  });
}

TEST_P(SpecMath, PowersOfAllSizes) {
  std::vector<double> x, y;
  std::mt19937_64 random(5);
  for (double base : allSizes<double>(4000))
    for (int i = 0; i < 3; ++i) {
      // Results of all sizes, those below the normal numbers too.
      double size = 1100 * (static_cast<double>(random() >> 11) * 0x1p-53) * (i ? 1 : -1);
      double logarithm = std::log2(std::fabs(base));
      x.push_back(std::fabs(base));
      y.push_back(logarithm == 0 || std::isinf(logarithm) ? i - 1 : size / logarithm);
    }
  for (double base : {1 + 0x1p-52, 1 - 0x1p-53, 1.0001, 0.9999, 1.5, 0.7, 1.4142135623730951})
    for (double result : {700.0, -740.0, 300.0, 1e-3}) {
      x.push_back(base);
      y.push_back(result / std::log(base));
    }
  std::vector<double> got = run(Op::Pow, x, DType::F64, y);
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_LE(ulps(got[i], powl(x[i], y[i])), 2) << x[i] << " ** " << y[i] << " = " << got[i];
}

template <typename T> static void checkSpecialPowers(DType type) {
  const T inf = std::numeric_limits<T>::infinity(), most = std::numeric_limits<T>::max(),
          least = std::numeric_limits<T>::denorm_min();
  std::vector<T> bases{0,   -T(0), 1,   -1,    2,    -2,   T(0.5), 10,
                       inf, -inf,  NAN, least, -3.5, most, -most};
  std::vector<T> exponents{0,  -T(0), 1,    -1,  2,       3,    T(0.5), -2.5,
                           33, inf,   -inf, NAN, T(1e10), most, -most,  least};
  std::vector<T> x, y;
  for (T base : bases)
    for (T exponent : exponents) {
      x.push_back(base);
      y.push_back(exponent);
    }
  std::vector<T> got = run(Op::Pow, x, type, y);
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_LE(ulps(got[i], static_cast<long double>(std::pow(x[i], y[i]))), 2)
        << x[i] << " ** " << y[i] << " = " << got[i];
  }
}

TEST_P(SpecMath, Powers) {
  checkSpecialPowers<float>(DType::F32);
  checkSpecialPowers<double>(DType::F64);
}

TEST(SpecNumbers, SmallFloatsRoundToNearestEven) {
  uint8_t bytes[2];
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    std::memcpy(bytes, &bits, 2);
    Number value = loadNumber(bytes, DType::F16);
    EXPECT_EQ(value.f, static_cast<double>(std::bit_cast<_Float16>(static_cast<uint16_t>(bits))));
  }
  EXPECT_EQ(convertNumber({2049, 0}, DType::F32, DType::F16).f, 2048);
  EXPECT_EQ(convertNumber({2051, 0}, DType::F32, DType::F16).f, 2052);
  EXPECT_EQ(convertNumber({65520, 0}, DType::F32, DType::F16).f, INFINITY);
  EXPECT_EQ(convertNumber({448, 0}, DType::F32, DType::F8E4M3).f, 448);
}

/// Beyond the largest number f8e4m3 saturates and f8e5m2 has infinity; ties go to even, and f64
/// rounds once: by way of f32 1.0625 + 2^-40 would become a tie.
TEST(SpecNumbers, EightBitFloatsFollowTheLanguage) {
  for (double value : {464.0, 480.0, 1e30, static_cast<double>(INFINITY)}) {
    EXPECT_EQ(convertNumber({value, 0}, DType::F64, DType::F8E4M3).f, 448) << value;
    EXPECT_EQ(convertNumber({-value, 0}, DType::F64, DType::F8E4M3).f, -448) << value;
  }
  EXPECT_TRUE(std::isnan(convertNumber({NAN, 0}, DType::F64, DType::F8E4M3).f));
  EXPECT_EQ(convertNumber({61439, 0}, DType::F64, DType::F8E5M2).f, 57344);
  EXPECT_EQ(convertNumber({61440, 0}, DType::F64, DType::F8E5M2).f, INFINITY);
  EXPECT_EQ(convertNumber({1.0625 + 0x1p-40, 0}, DType::F64, DType::F8E4M3).f, 1.125);
  for (DType type : {DType::F8E4M3, DType::F8E5M2})
    for (int code = 0; code < 256; ++code) {
      uint8_t byte = static_cast<uint8_t>(code), again;
      Number value = loadNumber(&byte, type);
      storeNumber(&again, type, value);
      if (std::isnan(value.f))
        EXPECT_TRUE(std::isnan(loadNumber(&again, type).f)) << name(type) << " " << code;
      else
        EXPECT_EQ(again, byte) << name(type) << " " << code;
    }
}

TEST(SpecNumbers, IntegersFollowTheLanguage) {
  Number args[2] = {{0, -7}, {0, 2}};
  EXPECT_EQ(applyNumbers(Op::FloorDiv, DType::I32, DType::I32, args)->i, -4);
  EXPECT_EQ(applyNumbers(Op::Mod, DType::I32, DType::I32, args)->i, 1);
  args[1].i = 0;
  EXPECT_EQ(applyNumbers(Op::FloorDiv, DType::I32, DType::I32, args)->i, 0);
  EXPECT_EQ(applyNumbers(Op::Mod, DType::I32, DType::I32, args)->i, 0);
  EXPECT_EQ(convertNumber({1e10, 0}, DType::F32, DType::I32).i, INT32_MAX);
  EXPECT_EQ(convertNumber({-1, 0}, DType::F32, DType::U8).i, 0);
  EXPECT_EQ(convertNumber({NAN, 0}, DType::F32, DType::I8).i, 0);
}
