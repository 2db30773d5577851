//===- Einsum.cpp - sums of products by letters ---------------------------===//
//
// Its meaning twice: `evaluate` by sums over positions, for the interpreter, and `decompose` into
// permutes, sums and matrix products, for everything else.
//
//===----------------------------------------------------------------------===//

#include "ir/Build.h"
#include "ir/ops/Common.h"

#include "llvm/ADT/StringExtras.h"

#include <map>
#include <numeric>

using namespace kiln;
using namespace kiln::ir;
using namespace mlir;

using Dims = SmallVector<DimExpr>;
using Labels = SmallVector<int>; ///< letters, and 256 + i for the i-th extent from the end of `...`

//===----------------------------------------------------------------------===//
// The equation
//===----------------------------------------------------------------------===//

namespace {
struct Equation {
  SmallVector<Labels> inputs;
  Labels output;
};
} // namespace

/// The labels of one list of letters of which `...` stands for `hidden` extents.
static std::optional<Labels> labelsOf(StringRef letters, size_t hidden) {
  Labels labels;
  bool hasDots = false;
  while (!letters.empty()) {
    if (!hasDots && letters.consume_front("...")) {
      hasDots = true;
      for (size_t i = hidden; i > 0; --i)
        labels.push_back(255 + static_cast<int>(i));
    } else if (llvm::isAlpha(letters.front())) {
      labels.push_back(letters.front());
      letters = letters.drop_front();
    } else {
      return std::nullopt;
    }
  }
  return labels;
}

/// The result's labels where none are given: those of `...`, then the letters that occur once.
static Labels impliedOutput(ArrayRef<Labels> inputs, size_t hidden) {
  std::map<int, int> times;
  for (const Labels &labels : inputs)
    for (int label : labels)
      ++times[label];
  Labels output = *labelsOf("...", hidden);
  for (auto [label, count] : times)
    if (label < 256 && count == 1)
      output.push_back(label);
  return output;
}

/// Nothing where the text is malformed or does not fit the operands' ranks.
static std::optional<Equation> parseEquation(StringRef text, ArrayRef<size_t> ranks) {
  std::string plain = text.str();
  llvm::erase(plain, ' ');
  auto [left, right] = StringRef(plain).split("->");
  SmallVector<StringRef> parts;
  left.split(parts, ',');
  if (parts.size() != ranks.size())
    return std::nullopt;
  Equation equation;
  size_t most = 0;
  for (auto [part, rank] : llvm::zip(parts, ranks)) {
    size_t letters = llvm::count_if(part, [](char c) { return llvm::isAlpha(c); }),
           hidden = rank - letters;
    bool hasDots = part.contains("...");
    std::optional<Labels> labels =
        rank < letters || (hidden && !hasDots) ? std::nullopt : labelsOf(part, hidden);
    if (!labels)
      return std::nullopt;
    most = std::max(most, hidden);
    equation.inputs.push_back(*labels);
  }
  std::optional<Labels> output = impliedOutput(equation.inputs, most);
  if (StringRef(plain).contains("->"))
    output = labelsOf(right, most);
  if (!output)
    return std::nullopt;
  equation.output = *output;
  return equation;
}

static bool isOne(const DimExpr &dim) { return dim.constantValue() == 1; }

/// The extent of each label: the first that is not 1.
static std::map<int, DimExpr> extentsOf(const Equation &equation, ArrayRef<Dims> shapes) {
  std::map<int, DimExpr> extents;
  for (auto [labels, dims] : llvm::zip(equation.inputs, shapes))
    for (auto [label, dim] : llvm::zip(labels, dims)) {
      auto [at, isNew] = extents.try_emplace(label, dim);
      if (!isNew && isOne(at->second))
        at->second = dim;
    }
  return extents;
}

static SmallVector<size_t> ranksOf(ArrayRef<Dims> shapes) {
  return llvm::map_to_vector(shapes, [](const Dims &dims) { return size_t(dims.size()); });
}
static SmallVector<Dims> shapesOf(ValueRange values) {
  return llvm::map_to_vector(values, [](Value v) { return Dims(dimsOf(v.getType())); });
}

KILN_INFER(EinsumOp) {
  Adaptor op(operands, attributes, properties, regions);
  auto typesText = [&] {
    return llvm::join(llvm::map_range(operands, [](Value v) { return typeText(v.getType()); }),
                      ", ");
  };
  bool isLegal = !operands.empty() && llvm::all_of(operands, [&](Value v) {
    return dtypeOf(v.getType()) == dtypeOf(operands[0].getType()) &&
           inDomain(*dtypeOf(v.getType()), Domain::Number);
  });
  if (!isLegal) // einsum-c2
    return emitOptionalError(loc, "'einsum' expected numbers of one type, got ", typesText());
  SmallVector<Dims> shapes = shapesOf(operands);
  std::optional<Equation> equation = parseEquation(op.getEquation(), ranksOf(shapes));
  if (!equation) // einsum-c1, einsum-c2
    return emitOptionalError(loc, "'einsum' expected an equation for ", typesText(), ", got \"",
                             op.getEquation(), "\"");
  std::map<int, DimExpr> extents = extentsOf(*equation, shapes);
  for (auto [labels, dims] : llvm::zip(equation->inputs, shapes))
    for (auto [i, label] : llvm::enumerate(labels)) {
      size_t twin = llvm::find(labels, label) - labels.begin();
      if ((dims[i] != extents[label] && !isOne(dims[i])) || dims[i] != dims[twin]) // einsum-c3
        return emitOptionalError(loc, "'einsum' expected equal extents of equal letters in \"",
                                 op.getEquation(), "\", got '", dims[i].str(), "' and '",
                                 (dims[i] != dims[twin] ? dims[twin] : extents[label]).str(), "'");
    }
  Dims result;
  for (auto [i, label] : llvm::enumerate(equation->output)) {
    bool isRepeated = llvm::is_contained(ArrayRef(equation->output).take_front(i), label);
    if (isRepeated || !extents.count(label)) // einsum-c4
      return emitOptionalError(loc, "'einsum' expected different letters of operands in the result",
                               " of \"", op.getEquation(), "\"");
    result.push_back(extents[label]);
  }
  results.push_back(
      tensorType(cast<RankedTensorType>(operands[0].getType()).getElementType(), result));
  return success();
}

void EinsumOp::alignShapes(MutableArrayRef<Dims> shapes, DictionaryAttr attributes,
                           AlignExtent require) {
  auto text = attributes.getAs<StringAttr>("equation");
  std::optional<Equation> equation =
      text ? parseEquation(text.getValue(), ranksOf(shapes)) : std::nullopt;
  if (!equation)
    return;
  std::map<int, DimExpr> extents = extentsOf(*equation, shapes);
  for (auto [labels, dims] : llvm::zip(equation->inputs, shapes))
    for (auto [label, dim] : llvm::zip(labels, dims))
      if (!isOne(dim) && !align(dim, extents[label], "the extents of one letter", require))
        return;
}

DimExpr EinsumOp::flops() {
  SmallVector<Dims> shapes = shapesOf(getXs());
  DimExpr work = DimExpr(static_cast<int64_t>(shapes.size()));
  std::optional<Equation> equation = parseEquation(getEquation(), ranksOf(shapes));
  for (auto &[label, extent] : extentsOf(*equation, shapes))
    work = work * extent;
  return work;
}

//===----------------------------------------------------------------------===//
// Meaning
//===----------------------------------------------------------------------===//

namespace {
/// An operand or what has been made of several: not rounded, with a label for each dimension.
struct Part {
  Tensor value;
  Labels labels;
};
} // namespace

/// The labels that are in the second list.
static Labels among(const Labels &labels, const Labels &kept) {
  Labels result;
  for (int label : labels)
    if (llvm::is_contained(kept, label) && !llvm::is_contained(result, label))
      result.push_back(label);
  return result;
}

static Labels joined(ArrayRef<int> a, ArrayRef<int> b, ArrayRef<int> c = {}) {
  Labels all(a);
  llvm::append_range(all, b);
  llvm::append_range(all, c);
  return all;
}

/// The sum of the parts' products over all labels but those kept.
static Part sumProducts(ArrayRef<Part> parts, const Labels &kept) {
  Labels labels = kept;
  for (const Part &part : parts)
    labels = among(joined(labels, part.labels), joined(labels, part.labels));
  SmallVector<int64_t> extents(labels.size(), 1);
  SmallVector<SmallVector<int64_t>> strides;
  for (const Part &part : parts) {
    SmallVector<int64_t> &own = strides.emplace_back(labels.size(), 0);
    for (auto [label, extent, stride] :
         llvm::zip(part.labels, part.value.shape, part.value.strides())) {
      size_t at = llvm::find(labels, label) - labels.begin();
      extents[at] = extent;
      own[at] += stride;
    }
  }
  Part sum{Tensor(parts[0].value.type, ArrayRef(extents).take_front(kept.size())), kept};
  auto to = sum.value.strides();
  forEachIndex(extents, [&](ArrayRef<int64_t> index) {
    double product = 1;
    uint64_t exact = 1;
    for (auto [part, own] : llvm::zip(parts, strides)) {
      if (part.value.isFloat())
        product *= part.value.floats[linear(index, own)];
      else
        exact *= static_cast<uint64_t>(part.value.ints[linear(index, own)]);
    }
    int64_t target = linear(index.take_front(to.size()), to);
    if (sum.value.isFloat())
      sum.value.floats[target] += product;
    else
      sum.value.ints[target] =
          static_cast<int64_t>(static_cast<uint64_t>(sum.value.ints[target]) + exact);
  });
  return sum;
}

/// The operands without extents 1 that others repeat.
static SmallVector<Part> partsOf(const Equation &equation, ArrayRef<const Tensor *> operands) {
  std::map<int, int64_t> extents;
  for (auto [labels, x] : llvm::zip(equation.inputs, operands))
    for (auto [label, extent] : llvm::zip(labels, x->shape))
      if (auto [at, isNew] = extents.try_emplace(label, extent); !isNew && at->second == 1)
        at->second = extent;
  SmallVector<Part> parts;
  for (auto [labels, x] : llvm::zip(equation.inputs, operands)) {
    Part &part = parts.emplace_back(Part{*x, {}});
    part.value.type = x->isFloat() ? DType::F64 : DType::I64;
    part.value.shape.clear();
    for (auto [label, extent] : llvm::zip(labels, x->shape))
      if (extent == extents[label]) {
        part.value.shape.push_back(extent);
        part.labels.push_back(label);
      }
  }
  return parts;
}

KILN_EVALUATE(EinsumOp) {
  SmallVector<size_t> ranks;
  for (const Tensor *x : operands)
    ranks.push_back(x->shape.size());
  Equation equation = *parseEquation(getEquation(), ranks);
  SmallVector<Part> parts = partsOf(equation, operands);
  Part whole = parts[0];
  for (size_t i = 1; i < parts.size(); ++i) {
    Labels kept = equation.output;
    for (const Part &later : ArrayRef(parts).drop_front(i + 1))
      llvm::append_range(kept, later.labels);
    Part left = sumProducts(whole, among(whole.labels, joined(kept, parts[i].labels)));
    Part right = sumProducts(parts[i], among(parts[i].labels, joined(kept, whole.labels)));
    whole = sumProducts({left, right}, among(joined(left.labels, right.labels), kept));
  }
  whole = sumProducts(whole, equation.output);
  results[0].floats = whole.value.floats;
  for (auto [to, from] : llvm::zip(results[0].ints, whole.value.ints))
    to = wrapTo(results[0].type, from);
  return success();
}

//===----------------------------------------------------------------------===//
// Definition in other ops
//===----------------------------------------------------------------------===//

namespace {
/// A value whose dimensions have different labels.
struct Term {
  Value value;
  Labels labels;
};

/// Builds products of terms; a label of `kept` is not summed.
struct Contraction {
  const Build &b;
  Dims extents(const Term &term, ArrayRef<int> labels) const {
    Dims dims = dimsOf(term.value.getType());
    return Dims(llvm::map_range(
        labels, [&](int l) { return dims[llvm::find(term.labels, l) - term.labels.begin()]; }));
  }
  Value permuted(const Term &term, ArrayRef<int> order) const;
  void takeDiagonals(Term &term) const;
  void dropOnes(Term &term, const std::map<int, DimExpr> &wanted) const;
  void sumAllBut(Term &term, ArrayRef<int> kept) const;
  Term product(const Term &a, const Term &b, ArrayRef<int> kept) const;
  Term outer(const Term &a, const Term &b) const;
};
} // namespace

static DimExpr sizeOf(ArrayRef<DimExpr> dims) { return numElements(dims); }

Value Contraction::permuted(const Term &term, ArrayRef<int> order) const {
  SmallVector<int64_t> axes;
  for (int label : order)
    axes.push_back(llvm::find(term.labels, label) - term.labels.begin());
  return llvm::is_sorted(axes)
             ? term.value
             : b.make<PermuteOp>(term.value, b.builder.getDenseI64ArrayAttr(axes));
}

/// A diagonal is the sum along one of its axes of what stands on it.
void Contraction::takeDiagonals(Term &term) const {
  for (size_t i = 0; i < term.labels.size(); ++i)
    for (size_t j = term.labels.size() - 1; j > i; --j) {
      if (term.labels[i] != term.labels[j])
        continue;
      Dims dims = dimsOf(term.value.getType()), square(dims.size(), 1);
      square[i] = square[j] = dims[j];
      Value number =
          b.make<ArangeOp>(b.dims(dims[j]), b.builder.getI64IntegerAttr(0),
                           b.builder.getI64IntegerAttr(1), TypeAttr::get(b.builder.getI64Type()));
      auto along = [&](size_t axis) {
        Dims line(dims.size(), 1);
        line[axis] = dims[j];
        return b.broadcast(b.reshape(number, line), square);
      };
      Value isOn = b.broadcast(b.make<EqOp>(along(i), along(j)), dims);
      Value chosen = b.make<WhereOp>(isOn, term.value, b.full(0, dims, b.elementOf(term.value)));
      term.value =
          b.make<SumOp>(chosen, b.builder.getDenseI64ArrayAttr(j), b.builder.getBoolAttr(false));
      term.labels.erase(term.labels.begin() + j);
    }
}

/// Without the extents 1 that other operands repeat.
void Contraction::dropOnes(Term &term, const std::map<int, DimExpr> &wanted) const {
  Dims dims = dimsOf(term.value.getType()), kept;
  Labels labels;
  for (auto [label, dim] : llvm::zip(term.labels, dims))
    if (dim == wanted.at(label)) {
      kept.push_back(dim);
      labels.push_back(label);
    }
  term = {b.reshape(term.value, kept), labels};
}

void Contraction::sumAllBut(Term &term, ArrayRef<int> kept) const {
  SmallVector<int64_t> axes;
  Labels left;
  for (auto [i, label] : llvm::enumerate(term.labels))
    if (llvm::is_contained(kept, label))
      left.push_back(label);
    else
      axes.push_back(i);
  if (!axes.empty())
    term = {b.make<SumOp>(term.value, b.builder.getDenseI64ArrayAttr(axes),
                          b.builder.getBoolAttr(false)),
            left};
}

/// Nothing is summed: every element with every other that agrees in the labels of both.
Term Contraction::outer(const Term &x, const Term &y) const {
  Labels labels = x.labels, shared;
  for (int label : y.labels)
    (llvm::is_contained(x.labels, label) ? shared : labels).push_back(label);
  Dims all = extents(x, x.labels), right;
  llvm::append_range(all, extents(y, ArrayRef(labels).drop_front(x.labels.size())));
  Dims left = extents(x, x.labels);
  left.resize(labels.size(), 1);
  Labels order;
  for (auto [label, extent] : llvm::zip(labels, all)) {
    bool isHere = llvm::is_contained(y.labels, label);
    right.push_back(isHere ? extent : 1);
    if (isHere)
      order.push_back(label);
  }
  Value a = b.broadcast(b.reshape(x.value, left), all);
  Value c = b.broadcast(b.reshape(permuted(y, order), right), all);
  return {b.make<MulOp>(a, c), labels};
}

/// What both have is summed, unless it is kept: a matrix product for each position of the latter.
Term Contraction::product(const Term &x, const Term &y, ArrayRef<int> kept) const {
  Labels batch, inner, rows, columns;
  for (int label : x.labels)
    if (!llvm::is_contained(y.labels, label))
      rows.push_back(label);
    else
      (llvm::is_contained(kept, label) ? batch : inner).push_back(label);
  if (inner.empty())
    return outer(x, y);
  for (int label : y.labels)
    if (!llvm::is_contained(x.labels, label))
      columns.push_back(label);
  // y as it lies: columns before or behind what is summed.
  auto place = [&](int label) { return llvm::find(y.labels, label); };
  bool isTransposed = !columns.empty() && place(columns[0]) < place(inner[0]);
  Dims whole = extents(x, batch), left = whole, right = whole;
  DimExpr m = sizeOf(extents(x, rows)), k = sizeOf(extents(x, inner)),
          n = sizeOf(extents(y, columns));
  left.append({m, k});
  right.append({isTransposed ? n : k, isTransposed ? k : n});
  Labels order = isTransposed ? joined(batch, columns, inner) : joined(batch, inner, columns);
  Value product = b.make<MatmulOp>(b.reshape(permuted(x, joined(batch, rows, inner)), left),
                                   b.reshape(permuted(y, order), right),
                                   isTransposed ? b.builder.getUnitAttr() : UnitAttr());
  llvm::append_range(whole, extents(x, rows));
  llvm::append_range(whole, extents(y, columns));
  return {b.reshape(product, whole), joined(batch, rows, columns)};
}

/// Whether one product or sum rounds once, so that nothing need be wider in between.
static bool roundsOnce(const Equation &equation) {
  ArrayRef<Labels> inputs = equation.inputs;
  auto isAlone = [&](int label, const Labels &other) {
    return !llvm::is_contained(equation.output, label) && !llvm::is_contained(other, label);
  };
  if (inputs.size() != 2)
    return inputs.size() == 1;
  return llvm::none_of(inputs[0], [&](int label) { return isAlone(label, inputs[1]); }) &&
         llvm::none_of(inputs[1], [&](int label) { return isAlone(label, inputs[0]); });
}

SmallVector<Value> EinsumOp::decompose(OpBuilder &builder) {
  Build b{builder, getLoc()};
  Contraction build{b};
  SmallVector<Dims> shapes = shapesOf(getXs());
  Equation equation = *parseEquation(getEquation(), ranksOf(shapes));
  std::map<int, DimExpr> extents = extentsOf(equation, shapes);
  Type element = b.elementOf(getXs()[0]);
  bool isNarrow = isa<FloatType>(element) && !roundsOnce(equation);
  SmallVector<Term> terms;
  for (auto [x, labels] : llvm::zip(getXs(), equation.inputs)) {
    Term &term = terms.emplace_back(Term{isNarrow ? b.cast(x, b.wideOf(x)) : Value(x), labels});
    build.takeDiagonals(term);
    build.dropOnes(term, extents);
  }
  Term whole = terms[0];
  for (size_t i = 1; i < terms.size(); ++i) {
    Labels kept = equation.output;
    for (const Term &later : ArrayRef(terms).drop_front(i + 1))
      llvm::append_range(kept, later.labels);
    build.sumAllBut(whole, joined(kept, terms[i].labels));
    build.sumAllBut(terms[i], joined(kept, whole.labels));
    whole = build.product(whole, terms[i], kept);
  }
  build.sumAllBut(whole, equation.output);
  return {b.cast(build.permuted(whole, equation.output), element)};
}
