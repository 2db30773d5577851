//===- LowerTest.cpp - lowered specs compute what the ops mean ---------------===//
//
// Each kernel is interpreted, and lowered and run by the reference evaluator of specs, on equal
// random inputs.
//
//===----------------------------------------------------------------------===//

#include "codegen/lower/Lower.h"
#include "codegen/spec/Evaluate.h"
#include "ir/Interpreter.h"
#include "ir/KilnOps.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace kiln;
using namespace kiln::ir;

namespace {
Tensor randomTensor(DType type, llvm::ArrayRef<int64_t> shape, std::mt19937 &random) {
  Tensor t(type, shape);
  std::uniform_real_distribution<double> real(-2, 2);
  for (double &v : t.floats)
    v = roundTo(type, real(random));
  for (int64_t &v : t.ints)
    v = wrapTo(type, type == DType::Bool ? random() % 2 : static_cast<int64_t>(random() % 9) - 4);
  return t;
}

/// Compares a kernel's spec with its meaning; `values` are those of the dimensions, by name.
class LowerTest : public ::testing::Test {
protected:
  LowerTest() : diagnostics(&context, [this](mlir::Diagnostic &d) { errors += d.str() + "\n"; }) {
    context.loadDialect<KilnDialect>();
  }

  mlir::OwningOpRef<mlir::ModuleOp> parse(const std::string &text) {
    errors.clear();
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module) << errors << text;
    return module;
  }

  /// `signature` is "(%a: type, …) -> (types)", the body ends in its return.
  void check(const std::string &signature, const std::string &body,
             const std::map<std::string, int64_t> &values = {}) {
    std::string dims;
    for (auto &[name, value] : values)
      dims += (dims.empty() ? "" : ", ") + name + " = array<i64: 0, 100>";
    auto module = parse("kiln.kernel @k" + signature + " attributes {kiln.dims = {" + dims +
                        "}} {\n" + body + "\n}");
    if (!module)
      return;
    KernelOp kernel = *module->getOps<KernelOp>().begin();
    auto spec = lower::lowerKernel(kernel);
    ASSERT_TRUE(llvm::succeeded(spec)) << errors << body;
    compare(kernel, *spec, values, body);
  }

  void compare(KernelOp kernel, spec::KernelSpec spec, const std::map<std::string, int64_t> &values,
               const std::string &body) {
    Evaluation evaluation;
    std::vector<int64_t> symbols;
    for (const spec::Symbol &symbol : spec.symbols) {
      symbols.push_back(values.at(symbol.name));
      evaluation.dims[symbol.name] = symbols.back();
    }
    std::vector<Tensor> inputs;
    std::vector<std::vector<uint8_t>> buffers;
    for (mlir::Type type : kernel.getArgumentTypes()) {
      inputs.push_back(randomTensor(*dtypeOf(type), evaluation.values(dimsOf(type)), random));
      buffers.emplace_back(inputs.back().numElements() * byteSize(inputs.back().type));
      inputs.back().toBytes(buffers.back().data());
    }
    auto expected = interpret(kernel, inputs);
    ASSERT_TRUE(llvm::succeeded(expected)) << errors;
    for (const Tensor &t : *expected)
      buffers.emplace_back(t.numElements() * byteSize(t.type));
    std::string text = spec::print(spec);
    spec::expandMath(spec);
    ASSERT_EQ(spec.operands.size(), buffers.size());
    std::vector<void *> pointers;
    for (size_t i = 0; i < buffers.size(); ++i) {
      ASSERT_EQ(spec::bufferBytes(spec, spec.operands[i], symbols),
                static_cast<int64_t>(buffers[i].size()));
      pointers.push_back(buffers[i].data());
    }
    ASSERT_EQ(spec::evaluate(spec, pointers, symbols), "") << text;
    for (size_t i = 0; i < expected->size(); ++i)
      compare((*expected)[i], buffers[inputs.size() + i], body + "\n" + text);
  }

  static void compare(const Tensor &want, const std::vector<uint8_t> &bytes,
                      const std::string &text) {
    Tensor got = Tensor::fromBytes(want.type, want.shape, bytes.data());
    double tolerance = !want.isFloat()           ? 0
                       : byteSize(want.type) > 2 ? 2e-6
                       : want.type == DType::F16 ? 2e-3
                                                 : 1e-2;
    for (int64_t i = 0; i < want.numElements(); ++i) {
      double a = want.asDouble(i), b = got.asDouble(i);
      if (std::isnan(a) || std::isinf(a) ? !(std::isnan(a) ? std::isnan(b) : a == b)
                                         : !(std::fabs(a - b) <= tolerance * (4 + std::fabs(a))))
        FAIL() << "element " << i << ": expected " << a << ", got " << b << "\n" << text;
    }
  }

  mlir::MLIRContext context;
  std::string errors;
  mlir::ScopedDiagnosticHandler diagnostics;
  std::mt19937 random{7};
};
} // namespace

static std::string tensor(const std::string &shape, const std::string &type) {
  return "tensor<" + shape + (shape.empty() ? "" : "x") + type + ">";
}

/// A kernel of one op: operands of `in` types, a result of type `out`.
static std::pair<std::string, std::string> single(const std::string &op,
                                                  std::vector<std::string> in,
                                                  const std::string &out,
                                                  const std::string &attrs = "") {
  std::string arguments, names, types;
  for (size_t i = 0; i < in.size(); ++i) {
    std::string comma = i ? ", " : "", name = "%a" + std::to_string(i);
    arguments += comma + name + ": " + in[i];
    names += comma + name;
    types += comma + in[i];
  }
  return {"(" + arguments + ") -> " + out, "%r = kiln." + op + " " + names + " " + attrs + " : (" +
                                               types + ") -> " + out + "\nkiln.return %r : " + out};
}

#define CHECK_SINGLE(...)                                                                          \
  do {                                                                                             \
    auto [signature, body] = single(__VA_ARGS__);                                                  \
    check(signature, body);                                                                        \
  } while (false)

TEST_F(LowerTest, Pointwise) {
  std::string x = "37";
  for (std::string op : {"neg",   "abs",     "sign", "exp", "sqrt", "rsqrt", "reciprocal",
                         "tanh",  "sigmoid", "erf",  "sin", "cos",  "relu",  "silu",
                         "round", "floor",   "ceil", "log", "gelu", "log1p", "expm1"})
    for (std::string type : {"f32", "f64", "f16", "bf16"})
      CHECK_SINGLE(op, {tensor(x, type)}, tensor(x, type));
  for (std::string op : {"neg", "abs", "sign", "relu"})
    for (std::string type : {"i64", "i32", "i16", "i8", "ui8"})
      CHECK_SINGLE(op, {tensor(x, type)}, tensor(x, type));
  for (std::string op : {"isnan", "isinf", "isfinite"})
    CHECK_SINGLE(op, {tensor(x, "f32")}, tensor(x, "i1"));
  CHECK_SINGLE("logical_not", {tensor(x, "i1")}, tensor(x, "i1"));
  CHECK_SINGLE("gelu", {tensor(x, "f32")}, tensor(x, "f32"), "{approximate = \"tanh\"}");
}

TEST_F(LowerTest, PairsOfElements) {
  std::string x = "37";
  for (std::string op :
       {"add", "sub", "mul", "div", "floordiv", "mod", "pow", "maximum", "minimum"})
    for (std::string type : {"f32", "f16"})
      CHECK_SINGLE(op, {tensor(x, type), tensor(x, type)}, tensor(x, type));
  for (std::string op : {"add", "sub", "mul", "floordiv", "mod", "maximum", "minimum",
                         "bitwise_and", "bitwise_or", "bitwise_xor", "shift_left", "shift_right"})
    for (std::string type : {"i64", "i8", "ui8"})
      CHECK_SINGLE(op, {tensor(x, type), tensor(x, type)}, tensor(x, type));
  for (std::string op : {"logical_and", "logical_or"})
    CHECK_SINGLE(op, {tensor(x, "i1"), tensor(x, "i1")}, tensor(x, "i1"));
  for (std::string op : {"eq", "ne", "lt", "le", "gt", "ge"})
    for (std::string type : {"f32", "i32", "bf16"})
      CHECK_SINGLE(op, {tensor(x, type), tensor(x, type)}, tensor(x, "i1"));
}

TEST_F(LowerTest, PointwiseWithAttributes) {
  CHECK_SINGLE("clamp", {tensor("9", "f32")}, tensor("9", "f32"),
               "{min = -1.0 : f64, max = 0.5 : f64}");
  CHECK_SINGLE("clamp", {tensor("9", "i8")}, tensor("9", "i8"),
               "{min = -1.5 : f64, max = 0x7FF0000000000000 : f64}");
  CHECK_SINGLE("where", {tensor("9", "i1"), tensor("9", "f16"), tensor("9", "f16")},
               tensor("9", "f16"));
  for (std::string from : {"f32", "f16", "i64", "ui8", "i1"})
    for (std::string to : {"f64", "f32", "bf16", "i32", "i8", "ui8", "i1"})
      CHECK_SINGLE("cast", {tensor("9", from)}, tensor("9", to), "{dtype = " + to + "}");
  check("(%x: tensor<2x3x4xf32>, %m: tensor<3xf32>, %v: tensor<3xf32>) -> tensor<2x3x4xf32>",
        "%w = kiln.abs %v : (tensor<3xf32>) -> tensor<3xf32>\n"
        "%y = kiln.batch_norm %x, %m, %w weight %m bias %v {eps = 1.0e-5 : f64, "
        "operandSegmentSizes = "
        "array<i32: 1, 1, 1, 1, 1>} : (tensor<2x3x4xf32>, tensor<3xf32>, tensor<3xf32>, "
        "tensor<3xf32>, "
        "tensor<3xf32>) -> tensor<2x3x4xf32>\nkiln.return %y : tensor<2x3x4xf32>");
}

TEST_F(LowerTest, Constants) {
  CHECK_SINGLE("full", {}, tensor("2x3", "f16"),
               "{shape = #kiln.dims<[2, 3]>, value = 1.1 : f64, dtype = f16}");
  CHECK_SINGLE("arange", {}, tensor("5", "i64"),
               "{count = #kiln.dims<[5]>, start = 3 : i64, step = -2 : i64, dtype = i64}");
  CHECK_SINGLE("arange", {}, tensor("5", "f32"),
               "{count = #kiln.dims<[5]>, start = 0.1 : f64, step = 0.3 : f64, dtype = f32}");
  CHECK_SINGLE("eye", {}, tensor("3x3", "i32"), "{count = #kiln.dims<[3]>, dtype = i32}");
  check("(%x: tensor<?xf32, #kiln.dims<[N]>>) -> tensor<i64>",
        "%n = kiln.extent {value = #kiln.dims<[2*N + 1]>} : () -> tensor<i64>\nkiln.return %n : "
        "tensor<i64>",
        {{"N", 5}});
  check("() -> tensor<4xbf16>",
        "%c = kiln.constant dense<1.5> : tensor<4xbf16>\nkiln.return %c : tensor<4xbf16>");
}

TEST_F(LowerTest, Movement) {
  CHECK_SINGLE("permute", {tensor("2x3x4", "f16")}, tensor("4x2x3", "f16"),
               "{axes = array<i64: 2, 0, 1>}");
  CHECK_SINGLE("broadcast_to", {tensor("3x1", "f32")}, tensor("2x3x4", "f32"),
               "{shape = #kiln.dims<[2, 3, 4]>}");
  CHECK_SINGLE(
      "slice", {tensor("5x6", "i32")}, tensor("2x3", "i32"),
      "{starts = #kiln.dims<[1, 5]>, sizes = #kiln.dims<[2, 3]>, steps = array<i64: 2, -2>}");
  CHECK_SINGLE("pad", {tensor("2x3", "f32")}, tensor("4x6", "f32"),
               "{padding = #kiln.dims<[1, 1, 0, 3]>, value = 2.5 : f64}");
  CHECK_SINGLE("concat", {tensor("2x3", "i64"), tensor("2x1", "i64"), tensor("2x2", "i64")},
               tensor("2x6", "i64"), "{axis = 1 : i64}");
  CHECK_SINGLE("concat", {tensor("2", "f8E4M3FN")}, tensor("2", "f8E4M3FN"), "{axis = 0 : i64}");
}

TEST_F(LowerTest, MovementOfExpressions) {
  // Pads of different values, a pad of a slice of a concat, all of computed values.
  check("(%x: tensor<4xf32>) -> tensor<11xf32>",
        "%e = kiln.exp %x : (tensor<4xf32>) -> tensor<4xf32>\n"
        "%p = kiln.pad %e {padding = #kiln.dims<[1, 1]>, value = 1.0 : f64} : (tensor<4xf32>) -> "
        "tensor<6xf32>\n"
        "%q = kiln.pad %p {padding = #kiln.dims<[1, 0]>, value = 2.0 : f64} : (tensor<6xf32>) -> "
        "tensor<7xf32>\n"
        "%c = kiln.concat %q, %e {axis = 0 : i64} : (tensor<7xf32>, tensor<4xf32>) -> "
        "tensor<11xf32>\n"
        "%s = kiln.slice %c {starts = #kiln.dims<[2]>, sizes = #kiln.dims<[9]>, steps = array<i64: "
        "1>} : (tensor<11xf32>) -> tensor<9xf32>\n"
        "%r = kiln.pad %s {padding = #kiln.dims<[0, 2]>, value = 0.0 : f64} : (tensor<9xf32>) -> "
        "tensor<11xf32>\n"
        "kiln.return %r : tensor<11xf32>");
}

TEST_F(LowerTest, Matmul) {
  CHECK_SINGLE("matmul", {tensor("3x5", "f32"), tensor("5x4", "f32")}, tensor("3x4", "f32"));
  CHECK_SINGLE("matmul", {tensor("3x5", "f16"), tensor("4x5", "f16")}, tensor("3x4", "f16"),
               "{transpose_b}");
  CHECK_SINGLE("matmul", {tensor("2x3x5", "i32"), tensor("2x5x4", "i32")}, tensor("2x3x4", "i32"));
  CHECK_SINGLE("matmul", {tensor("2x3x5", "f32"), tensor("5x4", "f32")}, tensor("2x3x4", "f32"));
  check("(%a: tensor<?x5xf32, #kiln.dims<[N, 5]>>, %b: tensor<5x4xf32>) -> tensor<?x4xf32, "
        "#kiln.dims<[N, 4]>>",
        "%r = kiln.matmul %a, %b : (tensor<?x5xf32, #kiln.dims<[N, 5]>>, tensor<5x4xf32>) -> "
        "tensor<?x4xf32, #kiln.dims<[N, 4]>>\n"
        "kiln.return %r : tensor<?x4xf32, #kiln.dims<[N, 4]>>",
        {{"N", 3}});
}

TEST_F(LowerTest, SmallIntegers) {
  CHECK_SINGLE("qmatmul", {tensor("3x5", "ui8"), tensor("4x5", "i8")}, tensor("3x4", "i32"),
               "{transpose_b}");
  CHECK_SINGLE("qmatmul", {tensor("2x3x5", "i8"), tensor("2x5x4", "i8")}, tensor("2x3x4", "i32"));
  for (std::string type : {"i8", "ui8"})
    CHECK_SINGLE("qconv2d", {tensor("1x5x6x4", type), tensor("6x3x3x2", "i8")},
                 tensor("1x5x6x6", "i32"),
                 "{stride = array<i64: 1, 1>, padding = #kiln.dims<[1, 1, 1, 1]>, dilation = "
                 "array<i64: 1, 1>, groups = 2 : i64, border = 100 : i64, channels_last}");
  CHECK_SINGLE("requantize", {tensor("3x5", "i32"), tensor("5", "f32"), tensor("5", "ui8")},
               tensor("3x5", "ui8"), "{axis = 1 : i64, dtype = ui8}");
  CHECK_SINGLE("quantize", {tensor("3x5", "f32"), tensor("3x1", "f32"), tensor("3x1", "ui8")},
               tensor("3x5", "ui8"), "{axis = 1 : i64, group = 5 : i64, dtype = ui8}");
  // A border of zeros in front of one that stands for zero: both are read right.
  check("(%x: tensor<1x3x3x2xui8>, %w: tensor<4x3x3x2xi8>) -> tensor<1x5x5x4xi8>",
        "%p = kiln.pad %x {padding = #kiln.dims<[0, 0, 1, 1, 1, 1, 0, 0]>, value = 0.0 : f64} : "
        "(tensor<1x3x3x2xui8>) -> tensor<1x5x5x2xui8>\n"
        "%y = kiln.qconv2d %p, %w {stride = array<i64: 1, 1>, padding = #kiln.dims<[1, 1, 1, 1]>, "
        "dilation = array<i64: 1, 1>, groups = 1 : i64, border = 128 : i64, channels_last} : "
        "(tensor<1x5x5x2xui8>, tensor<4x3x3x2xi8>) -> tensor<1x5x5x4xi32>\n"
        "%s = kiln.full {shape = #kiln.dims<[]>, value = 0.125 : f64, dtype = f32} : () -> "
        "tensor<f32>\n"
        "%q = kiln.requantize %y, %s {axis = 0 : i64, dtype = i8} : (tensor<1x5x5x4xi32>, "
        "tensor<f32>) -> tensor<1x5x5x4xi8>\n"
        "kiln.return %q : tensor<1x5x5x4xi8>");
}

TEST_F(LowerTest, PackedWeight) {
  auto module = parse(R"(
kiln.kernel @k(%x: tensor<3x5xf32>, %w: tensor<2x5x16xf32> {kiln.align = 64 : i64, kiln.panel = array<i64: 20, 5>}) -> tensor<3x20xf32> {
  %t = kiln.permute %w {axes = array<i64: 0, 2, 1>} : (tensor<2x5x16xf32>) -> tensor<2x16x5xf32>
  %f = kiln.reshape %t {shape = #kiln.dims<[32, 5]>} : (tensor<2x16x5xf32>) -> tensor<32x5xf32>
  %l = kiln.slice %f {starts = #kiln.dims<[0, 0]>, sizes = #kiln.dims<[20, 5]>, steps = array<i64: 1, 1>} : (tensor<32x5xf32>) -> tensor<20x5xf32>
  %y = kiln.matmul %x, %l {transpose_b} : (tensor<3x5xf32>, tensor<20x5xf32>) -> tensor<3x20xf32>
  kiln.return %y : tensor<3x20xf32>
})");
  KernelOp kernel = *module->getOps<KernelOp>().begin();
  auto spec = lower::lowerKernel(kernel);
  ASSERT_TRUE(llvm::succeeded(spec)) << errors;
  EXPECT_EQ(spec->operands[1].panel, spec::Panel());
  EXPECT_EQ(spec->operands[1].alignment, 64);
  compare(kernel, *spec, {}, "");
}

TEST_F(LowerTest, Convolution) {
  auto conv = [](const std::string &x, const std::string &w, const std::string &y,
                 const std::string &attrs) {
    return single("conv2d", {tensor(x, "f32"), tensor(w, "f32")}, tensor(y, "f32"), attrs);
  };
  for (auto [signature, body] :
       {conv("2x3x7x6", "4x3x3x2", "2x4x4x6",
             "{stride = array<i64: 2, 1>, padding = #kiln.dims<[1, 1, 0, 1]>, dilation = "
             "array<i64: 1, 1>, groups = 1 : i64}"),
        conv("1x5x6x4", "6x3x3x2", "1x3x4x6",
             "{stride = array<i64: 1, 1>, padding = #kiln.dims<[0, 0, 0, 0]>, dilation = "
             "array<i64: 1, 1>, groups = 2 : i64, channels_last}"),
        conv("1x5x6x4", "4x2x2x1", "1x5x4x4",
             "{stride = array<i64: 1, 1>, padding = #kiln.dims<[1, 1, 0, 0]>, dilation = "
             "array<i64: 2, 2>, groups = 4 : i64, channels_last}"),
        conv("1x2x5x6", "6x1x3x3", "1x6x5x6",
             "{stride = array<i64: 1, 1>, padding = #kiln.dims<[1, 1, 1, 1]>, dilation = "
             "array<i64: 1, 1>, groups = 2 : i64}")})
    check(signature, body);
  CHECK_SINGLE("conv3d", {tensor("1x4x3x5x4", "f32"), tensor("6x2x2x3x3", "f32")},
               tensor("1x6x4x2x2", "f32"),
               "{stride = array<i64: 1, 2, 1>, padding = #kiln.dims<[1, 1, 0, 0, 0, 0]>, dilation "
               "= array<i64: 1, 1, 1>, groups = 2 : i64}");
  CHECK_SINGLE("conv3d", {tensor("1x3x5x4x2", "f32"), tensor("3x2x3x3x2", "f32")},
               tensor("1x2x1x2x3", "f32"),
               "{stride = array<i64: 1, 3, 1>, padding = #kiln.dims<[0, 0, 0, 0, 0, 0]>, dilation "
               "= array<i64: 1, 2, 1>, groups = 1 : i64, channels_last}");
  check("(%x: tensor<1x4x4x3xf16>, %w: tensor<5x1x1x3xf16>, %b: tensor<5xf16>) -> "
        "tensor<1x4x4x5xf16>",
        "%y = kiln.conv2d %x, %w, %b {stride = array<i64: 1, 1>, padding = #kiln.dims<[0, 0, 0, "
        "0]>, dilation = array<i64: 1, 1>, groups = 1 : i64, channels_last} : "
        "(tensor<1x4x4x3xf16>, tensor<5x1x1x3xf16>, tensor<5xf16>) -> tensor<1x4x4x5xf16>\n"
        "%r = kiln.relu %y : (tensor<1x4x4x5xf16>) -> tensor<1x4x4x5xf16>\n"
        "kiln.return %r : tensor<1x4x4x5xf16>");
}

TEST_F(LowerTest, Pools) {
  std::string common = "kernel_size = array<i64: 3, 2>, stride = array<i64: 2, 2>, padding = "
                       "#kiln.dims<[1, 1, 1, 1]>, ";
  for (std::string ceil : {"false", "true"}) {
    std::string y = ceil == "true" ? "1x2x5x4" : "1x2x4x4",
                last = ceil == "true" ? "1x5x4x2" : "1x4x4x2";
    std::string mode = common + "ceil_mode = " + ceil;
    CHECK_SINGLE("max_pool2d", {tensor("1x2x8x6", "f32")}, tensor(y, "f32"),
                 "{" + mode + ", dilation = array<i64: 1, 1>}");
    CHECK_SINGLE("max_pool2d", {tensor("1x8x6x2", "i8")}, tensor(last, "i8"),
                 "{" + mode + ", dilation = array<i64: 1, 1>, channels_last}");
    for (std::string include : {"false", "true"})
      CHECK_SINGLE("avg_pool2d", {tensor("1x8x6x2", "f32")}, tensor(last, "f32"),
                   "{" + mode + ", count_include_pad = " + include + ", channels_last}");
  }
  CHECK_SINGLE("avg_pool3d", {tensor("1x2x3x5x4", "f32")}, tensor("1x2x3x3x2", "f32"),
               "{kernel_size = array<i64: 2, 3, 2>, stride = array<i64: 1, 2, 2>, padding = "
               "#kiln.dims<[1, 0, 1, 1, 0, 0]>, count_include_pad = false, ceil_mode = false}");
  CHECK_SINGLE("max_pool3d", {tensor("1x3x5x4x2", "i16")}, tensor("1x2x2x2x2", "i16"),
               "{kernel_size = array<i64: 2, 3, 2>, stride = array<i64: 1, 2, 2>, padding = "
               "#kiln.dims<[0, 0, 0, 0, 0, 0]>, dilation = array<i64: 1, 1, 1>, ceil_mode = false, "
               "channels_last}");
  CHECK_SINGLE("adaptive_avg_pool3d", {tensor("1x2x3x5x4", "f32")}, tensor("1x2x2x3x4", "f32"),
               "{output_size = array<i64: 2, 3, 4>}");
  CHECK_SINGLE("adaptive_max_pool2d", {tensor("1x7x5x2", "i64")}, tensor("1x3x2x2", "i64"),
               "{output_size = array<i64: 3, 2>, channels_last}");
  CHECK_SINGLE("adaptive_avg_pool2d", {tensor("1x7x5x2", "f32")}, tensor("1x3x2x2", "f32"),
               "{output_size = array<i64: 3, 2>, channels_last}");
  CHECK_SINGLE("adaptive_avg_pool2d", {tensor("1x2x3x5", "f16")}, tensor("1x2x4x1", "f16"),
               "{output_size = array<i64: 4, 1>}");
}

TEST_F(LowerTest, BordersOfOwnElements) {
  for (std::string mode : {"reflect", "replicate", "circular"})
    CHECK_SINGLE("pad", {tensor("2x3x4", "f16")}, tensor("2x7x9", "f16"),
                 "{padding = #kiln.dims<[0, 0, 2, 2, 3, 2]>, value = 0.0 : f64, mode = \"" + mode +
                     "\"}");
}

TEST_F(LowerTest, Interpolation) {
  auto resized = [](const std::string &size, const std::string &mode, bool aligned) {
    return "{size = #kiln.dims<[" + size + "]>, scale_factor = array<f64>, mode = \"" + mode +
           "\", align_corners = " + (aligned ? "true" : "false") + "}";
  };
  for (std::string mode : {"nearest", "nearest-exact", "linear", "cubic"})
    for (std::string type : {"f64", "f32", "f16"}) {
      bool isNearest = mode.substr(0, 7) == "nearest";
      CHECK_SINGLE("interpolate", {tensor("1x2x5", type)}, tensor("1x2x13", type),
                   resized("13", mode, false));
      CHECK_SINGLE("interpolate", {tensor("1x2x4x5", type)}, tensor("1x2x7x3", type),
                   resized("7, 3", mode, !isNearest));
    }
  CHECK_SINGLE("interpolate", {tensor("1x3x2x4x2", "f32")}, tensor("1x3x2x5x3", "f32"),
               resized("2, 5, 3", "trilinear", false));
  CHECK_SINGLE("interpolate", {tensor("1x2x4x3", "i16")}, tensor("1x3x6x3", "i16"),
               "{size = #kiln.dims<[]>, scale_factor = array<f64: 1.5>, mode = \"nearest\", "
               "align_corners = false, channels_last}");
}

TEST_F(LowerTest, Reductions) {
  for (std::string op : {"sum", "mean", "prod", "max", "min", "var", "logsumexp"})
    for (std::string type : {"f32", "f16"}) {
      CHECK_SINGLE(op, {tensor("3x4x5", type)}, tensor("4", type),
                   "{axis = array<i64: 2, 0>, keepdims = false}");
      CHECK_SINGLE(op, {tensor("3x4x5", type)}, tensor("3x1x5", type),
                   "{axis = array<i64: 1>, keepdims = true}");
      CHECK_SINGLE(op, {tensor("3x4", type)}, tensor("", type),
                   "{axis = array<i64: 0, 1>, keepdims = false}");
      CHECK_SINGLE(op, {tensor("3x4", type)}, tensor("3x4", type),
                   "{axis = array<i64>, keepdims = false}");
    }
  for (std::string op : {"sum", "prod", "max", "min"})
    for (std::string type : {"i64", "i8", "ui8"})
      CHECK_SINGLE(op, {tensor("3x4", type)}, tensor("3", type),
                   "{axis = array<i64: 1>, keepdims = false}");
  for (std::string op : {"any", "all"})
    CHECK_SINGLE(op, {tensor("3x2", "i1")}, tensor("3", "i1"),
                 "{axis = array<i64: 1>, keepdims = false}");
  for (std::string op : {"argmax", "argmin"})
    for (std::string type : {"f32", "i8"}) {
      CHECK_SINGLE(op, {tensor("3x7", type)}, tensor("3", "i64"),
                   "{axis = 1 : i64, keepdims = false}");
      CHECK_SINGLE(op, {tensor("3x7", type)}, tensor("1x7", "i64"),
                   "{axis = 0 : i64, keepdims = true}");
    }
  for (std::string op : {"softmax", "log_softmax"})
    for (std::string type : {"f32", "bf16"})
      for (std::string axis : {"0", "1"})
        CHECK_SINGLE(op, {tensor("3x7", type)}, tensor("3x7", type), "{axis = " + axis + " : i64}");
}

TEST_F(LowerTest, FusedKernelHasOneAnchorAndNoStageForSingleUses) {
  auto module = parse(R"(
kiln.kernel @k(%x: tensor<3x5xf32>, %w: tensor<4x5xf32>, %b: tensor<4xf32>, %r: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %m = kiln.matmul %x, %w {transpose_b} : (tensor<3x5xf32>, tensor<4x5xf32>) -> tensor<3x4xf32>
  %c = kiln.broadcast_to %b {shape = #kiln.dims<[3, 4]>} : (tensor<4xf32>) -> tensor<3x4xf32>
  %s = kiln.add %m, %c : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %t = kiln.add %s, %r : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %y = kiln.silu %t : (tensor<3x4xf32>) -> tensor<3x4xf32>
  kiln.return %y : tensor<3x4xf32>
})");
  KernelOp kernel = *module->getOps<KernelOp>().begin();
  auto spec = lower::lowerKernel(kernel);
  ASSERT_TRUE(llvm::succeeded(spec)) << errors;
  ASSERT_EQ(spec->stages.size(), 2u) << spec::print(*spec);
  EXPECT_EQ(spec->stages[0].role, spec::Role::Anchor);
  EXPECT_FALSE(spec->stages[0].body->strict);
  EXPECT_EQ(spec->stages[1].name, "out0");
  compare(kernel, *spec, {}, "");
}

TEST_F(LowerTest, ValuesUsedTwiceAreComputedOnce) {
  std::string body;
  std::string previous = "%x";
  for (int i = 0; i < 30; ++i) {
    std::string next = "%v" + std::to_string(i);
    body += next + " = kiln.add " + previous + ", " + previous +
            " : (tensor<2xi64>, tensor<2xi64>) -> tensor<2xi64>\n";
    previous = next;
  }
  check("(%x: tensor<2xi64>) -> tensor<2xi64>",
        body + "kiln.return " + previous + " : tensor<2xi64>");
}

TEST_F(LowerTest, UnknownOpIsAnError) {
  auto module = parse(
      "kiln.kernel @k(%x: tensor<6xf32>) -> tensor<2x3xf32> {\n"
      "%y = kiln.reshape %x {shape = #kiln.dims<[2, 3]>} : (tensor<6xf32>) -> tensor<2x3xf32>\n"
      "kiln.return %y : tensor<2x3xf32>\n}");
  EXPECT_TRUE(llvm::failed(lower::lowerKernel(*module->getOps<KernelOp>().begin())));
  EXPECT_NE(errors.find("'kiln.reshape' cannot be computed within a kernel"), std::string::npos)
      << errors;
}
