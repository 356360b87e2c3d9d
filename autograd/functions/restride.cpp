// In-place changes of how a tensor lies in its memory: transpose_, squeeze_, unsqueeze_, resize_ and others.
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir {

namespace {

void take_layout(TensorImpl& t, const Layout& layout) {
  t.layout = layout;
  t.data = t.storage->data() + layout.offset * static_cast<int64_t>(item_size(t.dtype));
}

/// x becomes what `view` makes of it. Saved tensors notice: it counts as a change.
template <class F>
Tensor& become(Tensor& x, const char* op, const F& view) {
  CallSite site(TAPIR_HERE);
  check_inplace(x, op);
  TensorImpl& t = *x.impl();
  if (recording(x)) {
    Tensor old = x.alias(t.layout);
    const Edge edge = gradient_edge(x);
    old.impl()->autograd = edge.function;
    old.impl()->output_nr = edge.input_nr;
    const Tensor y = view(old);
    take_layout(t, y.layout_of());
    t.autograd = y.impl()->autograd;
    t.output_nr = y.impl()->output_nr;
  } else {
    const Tensor y = view(x.alias(t.layout));
    if (t.autograd && x.is_leaf() && !t.base) {
      x.set_data(x.data().alias(y.layout_of()));  // the leaf gets the new sizes
    } else {
      TAPIR_CHECK_AS(
          AutogradError, !t.autograd,
          "{}: the tensor is the result of a recorded op, and nothing is recorded now; detach() it "
          "first",
          op);
      take_layout(t, y.layout_of());
    }
  }
  raw::mark_changed(x, op);
  return x;
}

}  // namespace

Tensor& Tensor::transpose_(int64_t d0, int64_t d1) const {
  return become(self(), "transpose_", [&](const Tensor& x) { return tapir::transpose(x, d0, d1); });
}
Tensor& Tensor::t_() const {
  return become(self(), "t_", [](const Tensor& x) { return tapir::t(x); });
}
Tensor& Tensor::swapaxes_(int64_t axis0, int64_t axis1) const { return transpose_(axis0, axis1); }
Tensor& Tensor::swapdims_(int64_t dim0, int64_t dim1) const { return transpose_(dim0, dim1); }
Tensor& Tensor::squeeze_() const {
  return become(self(), "squeeze_", [](const Tensor& x) { return tapir::squeeze(x); });
}
Tensor& Tensor::squeeze_(int64_t dim) const {
  return become(self(), "squeeze_", [&](const Tensor& x) { return tapir::squeeze(x, dim); });
}
Tensor& Tensor::unsqueeze_(int64_t dim) const {
  return become(self(), "unsqueeze_", [&](const Tensor& x) { return tapir::unsqueeze(x, dim); });
}

Tensor& Tensor::as_strided_(IntArrayRef sizes, IntArrayRef strides,
                            std::optional<int64_t> storage_offset) const {
  return become(self(), "as_strided_",
                [&](const Tensor& x) { return tapir::as_strided(x, sizes, strides, storage_offset); });
}

const Tensor& Tensor::resize_(IntArrayRef sizes, std::optional<MemoryFormat>) const {
  if (!defined()) detail::undefined_inplace_failure("resize_");
  Layout layout = Layout::of(sizes);
  layout.offset = storage_offset();
  TensorImpl& t = *impl_;
  TAPIR_CHECK_AS(AutogradError, !t.autograd,
                 "resize_: the tensor is recorded or requires a gradient; detach() it first");
  if (t.layout.sizes == layout.sizes) return *this;
  const auto item = static_cast<int64_t>(itemsize());
  const int64_t have = static_cast<int64_t>(t.storage->nbytes()) / item - layout.offset;
  if (layout.numel <= have) {
    take_layout(t, layout);
  } else {
    TAPIR_CHECK_AS(
        ValueError, !t.base,
        "resize_: sizes {} need more memory than the tensor that this one, of sizes {}, is a view of", sizes,
        IntArrayRef(t.layout.sizes));
    layout.offset = 0;
    Ref<StorageImpl> grown = StorageImpl::make(static_cast<size_t>(layout.numel * item), device());
    const Layout kept = Layout::of({std::max<int64_t>(have, 0)});
    Layout from = kept;
    from.offset = t.layout.offset;
    const Tensor to(Ref<TensorImpl>::adopt(new TensorImpl(grown, kept, t.dtype)));
    if (kept.numel > 0) raw::copy_into(to, alias(from));
    grown->succeed(*t.storage, "resize_");
    t.storage = std::move(grown);
    take_layout(t, layout);
  }
  raw::mark_changed(*this, "resize_");
  return *this;
}
const Tensor& Tensor::resize_as_(const Tensor& other, std::optional<MemoryFormat> format) const {
  return resize_(other.sizes(), format);
}

}  // namespace tapir
