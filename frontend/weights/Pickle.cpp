//===- Pickle.cpp - a Python pickle as plain data ---------------------------===//
#include "frontend/weights/Pickle.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

#include <unordered_map>

using namespace llvm;
using support::endian::read16le;
using support::endian::read32le;
using support::endian::read64le;

namespace kiln::weights {

namespace {

/// Instructions as protocols 0 to 5 number them.
enum Opcode : uint8_t {
  mark = '(',
  stop = '.',
  pop = '0',
  popMark = '1',
  floatText = 'F',
  intText = 'I',
  binInt = 'J',
  binInt1 = 'K',
  longText = 'L',
  binInt2 = 'M',
  none = 'N',
  binPersId = 'Q',
  reduce = 'R',
  binString = 'T',
  shortBinString = 'U',
  binUnicode = 'X',
  append = 'a',
  build = 'b',
  globalText = 'c',
  dict = 'd',
  emptyDict = '}',
  appends = 'e',
  getText = 'g',
  binGet = 'h',
  longBinGet = 'j',
  list = 'l',
  emptyList = ']',
  putText = 'p',
  binPut = 'q',
  longBinPut = 'r',
  setItem = 's',
  tuple = 't',
  emptyTuple = ')',
  setItems = 'u',
  binFloat = 'G',
  proto = 0x80,
  newObject = 0x81,
  tuple1 = 0x85,
  tuple2 = 0x86,
  tuple3 = 0x87,
  newTrue = 0x88,
  newFalse = 0x89,
  long1 = 0x8a,
  long4 = 0x8b,
  shortBinUnicode = 0x8c,
  binUnicode8 = 0x8d,
  stackGlobal = 0x93,
  memoize = 0x94,
  frame = 0x95,
};

/// Values that one pickle may make; a model of ten thousand tensors makes about 200,000.
constexpr size_t maxValues = size_t(4) << 20;

std::optional<DType> storageType(StringRef name) {
  return StringSwitch<std::optional<DType>>(name)
      .Case("DoubleStorage", DType::F64)
      .Case("FloatStorage", DType::F32)
      .Case("HalfStorage", DType::F16)
      .Case("BFloat16Storage", DType::BF16)
      .Case("LongStorage", DType::I64)
      .Case("IntStorage", DType::I32)
      .Case("ShortStorage", DType::I16)
      .Case("CharStorage", DType::I8)
      .Case("ByteStorage", DType::U8)
      .Case("BoolStorage", DType::Bool)
      .Default(std::nullopt);
}

std::optional<PickleGlobal> builtin(StringRef module, StringRef name) {
  return StringSwitch<std::optional<PickleGlobal>>((module + "." + name).str())
      .Case("collections.OrderedDict", PickleGlobal::OrderedDict)
      .Case("torch._utils._rebuild_tensor", PickleGlobal::RebuildTensor)
      .Case("torch._utils._rebuild_tensor_v2", PickleGlobal::RebuildTensor)
      .Case("torch._utils._rebuild_parameter", PickleGlobal::RebuildParameter)
      .Case("torch.nn.parameter.Parameter", PickleGlobal::RebuildParameter)
      .Case("torch.Size", PickleGlobal::Size)
      .Default(std::nullopt);
}

} // namespace

/// The stack machine. A step that fails sets the reason.
class PickleMachine {
public:
  PickleMachine(ArrayRef<uint8_t> input, std::deque<PickleValue> &values)
      : rest(input), values(values) {}
  Expected<PickleValue *> run();
  ArrayRef<uint8_t> unread() const { return rest; }

private:
  using Value = PickleValue;
  using Kind = PickleValue::Kind;

  ArrayRef<uint8_t> rest;
  std::deque<Value> &values;
  std::vector<Value *> stack;
  std::unordered_map<uint64_t, Value *> memo;
  std::string reason; ///< why the machine stopped; empty while it runs

  void fail(const Twine &why) {
    if (reason.empty())
      reason = why.str();
  }
  bool failed() const { return !reason.empty(); }

  ArrayRef<uint8_t> bytes(uint64_t size);
  void skip(uint64_t size) { static_cast<void>(bytes(size)); }
  uint64_t number(unsigned size);
  StringRef text(uint64_t size) { return toStringRef(bytes(size)); }
  StringRef line();
  uint64_t lineNumber();

  Value *push(Kind kind);
  Value *pop();
  Value *top(Kind kind);
  std::vector<Value *> popToMark();
  void pushInt(int64_t value) { push(Kind::Int)->number = value; }
  void pushText(StringRef value) { push(Kind::Text)->text = value; }
  void pushLong(ArrayRef<uint8_t> digits);
  void pushGlobal(StringRef module, StringRef name);
  void pushItems(Kind kind, std::vector<Value *> items) { push(kind)->items = std::move(items); }
  void pushMemo(uint64_t key);
  void extend(Kind kind, std::vector<Value *> items);

  bool stepScalar(uint8_t opcode);
  bool stepContainer(uint8_t opcode);
  bool stepMemo(uint8_t opcode);
  void stepObject(uint8_t opcode);
  void persistentId();
  void call();
  void rebuildTensor(const std::vector<Value *> &arguments);
};

//===----------------------------------------------------------------------===//
// Input and stack. After a failure they give zeros and a dummy, and the machine stops.
//===----------------------------------------------------------------------===//

ArrayRef<uint8_t> PickleMachine::bytes(uint64_t size) {
  if (size > rest.size()) {
    fail("it is truncated");
    rest = {};
    return {};
  }
  ArrayRef<uint8_t> taken = rest.take_front(size);
  rest = rest.drop_front(size);
  return taken;
}

/// A little-endian number of 1, 2, 4 or 8 bytes.
uint64_t PickleMachine::number(unsigned size) {
  uint64_t value = 0;
  ArrayRef<uint8_t> digits = bytes(size);
  for (size_t i = 0; i < digits.size(); ++i)
    value |= uint64_t(digits[i]) << (8 * i);
  return value;
}

StringRef PickleMachine::line() {
  size_t size = toStringRef(rest).find('\n');
  StringRef taken = text(size == StringRef::npos ? rest.size() + 1 : size);
  skip(1);
  return taken;
}

uint64_t PickleMachine::lineNumber() {
  uint64_t value = 0;
  if (line().getAsInteger(10, value))
    fail("it has a malformed number");
  return value;
}

PickleValue *PickleMachine::push(Kind kind) {
  if (values.size() >= maxValues)
    fail("it has more than " + Twine(maxValues) + " values");
  values.emplace_back();
  values.back().kind = kind;
  stack.push_back(&values.back());
  return stack.back();
}

PickleValue *PickleMachine::pop() {
  if (stack.empty()) {
    fail("its stack is empty");
    push(Kind::None);
  }
  Value *value = stack.back();
  stack.pop_back();
  if (value->is(Kind::Mark))
    fail("it has a mark where a value is wanted");
  return value;
}

/// The value at the top, which stays there.
PickleValue *PickleMachine::top(Kind kind) {
  Value *value = pop();
  stack.push_back(value);
  if (!value->is(kind))
    fail("it fills a container that is none");
  return value;
}

std::vector<PickleValue *> PickleMachine::popToMark() {
  size_t at = stack.size();
  while (at > 0 && !stack[at - 1]->is(Kind::Mark))
    --at;
  if (at == 0) {
    fail("it has no mark");
    return {};
  }
  std::vector<Value *> items(stack.begin() + at, stack.end());
  stack.resize(at - 1);
  return items;
}

/// A little-endian integer in two's complement of any length.
void PickleMachine::pushLong(ArrayRef<uint8_t> digits) {
  Value *value = push(Kind::Int);
  if (digits.size() > 8) {
    value->text = toStringRef(digits);
    return;
  }
  bool negative = !digits.empty() && (digits.back() & 0x80);
  uint64_t bits = negative ? ~uint64_t(0) : 0;
  for (size_t i = digits.size(); i-- > 0;)
    bits = bits << 8 | digits[i];
  value->number = static_cast<int64_t>(bits);
}

void PickleMachine::pushGlobal(StringRef module, StringRef name) {
  Value *value = push(Kind::Global);
  std::optional<DType> type = storageType(name);
  if (module == "torch" && type) {
    value->global = PickleGlobal::Storage;
    value->type = *type;
  } else if (std::optional<PickleGlobal> global = builtin(module, name)) {
    value->global = *global;
  } else {
    fail("it uses " + inQuotes((module + "." + name).str()) +
         ", expected tensors, containers, numbers and strings only, as a state_dict has them");
  }
}

void PickleMachine::pushMemo(uint64_t key) {
  auto found = memo.find(key);
  if (found == memo.end())
    return fail("it reads what it has not stored");
  stack.push_back(found->second);
}

/// Adds items to the list or dictionary at the top.
void PickleMachine::extend(Kind kind, std::vector<Value *> items) {
  Value *container = top(kind);
  if (kind == Kind::Dict && items.size() % 2)
    return fail("it has a key without a value");
  if (!failed())
    container->items.insert(container->items.end(), items.begin(), items.end());
}

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

bool PickleMachine::stepScalar(uint8_t opcode) {
  switch (opcode) {
  case none:
    push(Kind::None);
    return true;
  case newTrue:
  case newFalse:
    push(Kind::Bool)->number = opcode == newTrue;
    return true;
  case intText:
  case longText: {
    StringRef digits = line();
    digits.consume_back("L");
    int64_t value = 0;
    if (digits.getAsInteger(10, value))
      fail("it has a malformed number");
    pushInt(value);
    return true;
  }
  case binInt:
    pushInt(static_cast<int32_t>(number(4)));
    return true;
  case binInt1:
    pushInt(number(1));
    return true;
  case binInt2:
    pushInt(number(2));
    return true;
  case long1:
    pushLong(bytes(number(1)));
    return true;
  case long4:
    pushLong(bytes(number(4)));
    return true;
  case floatText:
    line();
    push(Kind::Float);
    return true;
  case binFloat:
    skip(8);
    push(Kind::Float);
    return true;
  case binString:
  case binUnicode:
    pushText(text(number(4)));
    return true;
  case shortBinString:
  case shortBinUnicode:
    pushText(text(number(1)));
    return true;
  case binUnicode8:
    pushText(text(number(8)));
    return true;
  default:
    return false;
  }
}

bool PickleMachine::stepContainer(uint8_t opcode) {
  switch (opcode) {
  case emptyTuple:
    push(Kind::Tuple);
    return true;
  case emptyList:
    push(Kind::List);
    return true;
  case emptyDict:
    push(Kind::Dict);
    return true;
  case tuple:
    pushItems(Kind::Tuple, popToMark());
    return true;
  case list:
    pushItems(Kind::List, popToMark());
    return true;
  case dict: {
    std::vector<Value *> items = popToMark();
    push(Kind::Dict);
    extend(Kind::Dict, std::move(items));
    return true;
  }
  case tuple1:
  case tuple2:
  case tuple3: {
    std::vector<Value *> items(opcode - tuple1 + 1);
    for (size_t i = items.size(); i-- > 0;)
      items[i] = pop();
    pushItems(Kind::Tuple, std::move(items));
    return true;
  }
  case append:
    extend(Kind::List, {pop()});
    return true;
  case appends:
    extend(Kind::List, popToMark());
    return true;
  case setItem: {
    Value *value = pop();
    extend(Kind::Dict, {pop(), value});
    return true;
  }
  case setItems:
    extend(Kind::Dict, popToMark());
    return true;
  default:
    return false;
  }
}

bool PickleMachine::stepMemo(uint8_t opcode) {
  auto put = [&](uint64_t key) {
    Value *value = pop();
    stack.push_back(value);
    memo[key] = value;
    return true;
  };
  switch (opcode) {
  case putText:
    return put(lineNumber());
  case binPut:
    return put(number(1));
  case longBinPut:
    return put(number(4));
  case memoize:
    return put(memo.size());
  case getText:
    pushMemo(lineNumber());
    return true;
  case binGet:
    pushMemo(number(1));
    return true;
  case longBinGet:
    pushMemo(number(4));
    return true;
  default:
    return false;
  }
}

void PickleMachine::stepObject(uint8_t opcode) {
  switch (opcode) {
  case proto:
    skip(1);
    return;
  case frame:
    skip(8);
    return;
  case mark:
    push(Kind::Mark);
    return;
  case Opcode::pop:
    if (stack.empty())
      return fail("its stack is empty");
    stack.pop_back();
    return;
  case popMark:
    popToMark();
    return;
  case globalText: {
    StringRef module = line();
    return pushGlobal(module, line());
  }
  case stackGlobal: {
    Value *name = pop(), *module = pop();
    return pushGlobal(module->text, name->text);
  }
  case binPersId:
    return persistentId();
  case reduce:
  case newObject:
    return call();
  case build: // attributes of a dictionary or tensor, of no use here
    pop();
    return;
  default:
    return fail("it has the unknown instruction " + Twine(unsigned(opcode)));
  }
}

/// ('storage', type, key, device, number of elements [, view of a storage])
void PickleMachine::persistentId() {
  Value *id = pop();
  const std::vector<Value *> &parts = id->items;
  if (!id->is(Kind::Tuple) || parts.size() < 5 || parts[0]->text != "storage" ||
      !parts[1]->is(Kind::Global) || parts[1]->global != PickleGlobal::Storage ||
      !parts[2]->is(Kind::Text) || !parts[4]->is(Kind::Int) || parts[4]->number < 0)
    return fail("it refers to something that is no storage");
  if (parts.size() > 5 && !parts[5]->is(Kind::None))
    return fail("storage " + inQuotes(parts[2]->text) + " is a view of another, which is not read");
  Value *storage = push(Kind::Storage);
  storage->type = parts[1]->type;
  storage->text = parts[2]->text;
  storage->number = parts[4]->number;
}

void PickleMachine::call() {
  Value *arguments = pop(), *callee = pop();
  if (!callee->is(Kind::Global) || !arguments->is(Kind::Tuple))
    return fail("it calls what is no function");
  const std::vector<Value *> &items = arguments->items;
  switch (callee->global) {
  case PickleGlobal::RebuildTensor:
    return rebuildTensor(items);
  case PickleGlobal::RebuildParameter:
    if (items.empty() || !items[0]->is(Kind::Tensor))
      return fail("it has a parameter without a tensor");
    stack.push_back(items[0]);
    return;
  case PickleGlobal::OrderedDict: {
    Value *made = push(Kind::Dict);
    for (Value *pair : items.empty() ? std::vector<Value *>() : items[0]->items) {
      if (pair->items.size() != 2)
        return fail("it has a key without a value");
      made->items.insert(made->items.end(), pair->items.begin(), pair->items.end());
    }
    return;
  }
  case PickleGlobal::Size:
    if (items.size() != 1 || !items[0]->is(Kind::Tuple))
      return fail("it has a malformed shape");
    stack.push_back(items[0]);
    return;
  case PickleGlobal::Storage:
    return fail("it makes a storage without data");
  }
}

/// (storage, first element, extents, strides, …)
void PickleMachine::rebuildTensor(const std::vector<Value *> &arguments) {
  auto isInts = [](const Value *value) {
    return value->is(Kind::Tuple) && all_of(value->items, [](const Value *item) {
             return item->is(Kind::Int) && item->text.empty();
           });
  };
  if (arguments.size() < 4 || !arguments[0]->is(Kind::Storage) || !arguments[1]->is(Kind::Int) ||
      !isInts(arguments[2]) || !isInts(arguments[3]) ||
      arguments[2]->items.size() != arguments[3]->items.size())
    return fail("it has a malformed tensor");
  Value *tensor = push(Kind::Tensor);
  tensor->number = arguments[1]->number;
  tensor->items = {arguments[0], arguments[2], arguments[3]};
}

Expected<PickleValue *> PickleMachine::run() {
  while (!failed()) {
    uint8_t opcode = number(1);
    if (failed() || opcode == stop)
      break;
    if (!stepScalar(opcode) && !stepContainer(opcode) && !stepMemo(opcode))
      stepObject(opcode);
  }
  Value *result = pop();
  if (failed())
    return failure("the pickle is refused: " + reason);
  return result;
}

Expected<PickleValue *> Pickle::load(ArrayRef<uint8_t> &input) {
  PickleMachine machine(input, values);
  Expected<PickleValue *> result = machine.run();
  input = machine.unread();
  return result;
}

} // namespace kiln::weights
