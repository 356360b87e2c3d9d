// Every module, function and option of torch::nn outside convolution, pooling and batch norm, as a program
// written for libtorch names them. It builds against libtorch too.
#include <torch/torch.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace nn = torch::nn;
namespace F = torch::nn::functional;
using torch::Tensor;

namespace {

int failures = 0;
void expect(bool good, const char* what) {
  if (good) return;
  ++failures;
  std::printf("failed: %s\n", what);
}
void shape(const Tensor& t, std::vector<int64_t> sizes, const char* what) {
  expect(t.sizes() == torch::IntArrayRef(sizes), what);
}

void activations() {
  const Tensor x = torch::randn({4, 6});
  shape(nn::ELU(nn::ELUOptions().alpha(0.5).inplace(false))(x), {4, 6}, "ELU");
  shape(nn::SELU(nn::SELUOptions().inplace(false))(x), {4, 6}, "SELU");
  shape(nn::CELU(nn::CELUOptions().alpha(0.5).inplace(false))(x), {4, 6}, "CELU");
  shape(nn::GELU(nn::GELUOptions().approximate("tanh"))(x), {4, 6}, "GELU");
  shape(nn::GLU(nn::GLUOptions(1))(x), {4, 3}, "GLU");
  shape(nn::Hardshrink(nn::HardshrinkOptions().lambda(0.4))(x), {4, 6}, "Hardshrink");
  shape(nn::Hardtanh(nn::HardtanhOptions().min_val(-2).max_val(2).inplace(false))(x), {4, 6}, "Hardtanh");
  shape(nn::LeakyReLU(nn::LeakyReLUOptions().negative_slope(0.1).inplace(false))(x), {4, 6}, "LeakyReLU");
  shape(nn::LogSigmoid()(x), {4, 6}, "LogSigmoid");
  shape(nn::Mish()(x), {4, 6}, "Mish");
  shape(nn::SiLU()(x), {4, 6}, "SiLU");
  shape(nn::PReLU(nn::PReLUOptions().num_parameters(6).init(0.1))(x), {4, 6}, "PReLU");
  shape(nn::ReLU(nn::ReLUOptions(false))(x), {4, 6}, "ReLU");
  shape(nn::ReLU6(nn::ReLU6Options().inplace(false))(x), {4, 6}, "ReLU6");
  shape(nn::RReLU(nn::RReLUOptions().lower(0.1).upper(0.2).inplace(false))(x), {4, 6}, "RReLU");
  shape(nn::Sigmoid()(x), {4, 6}, "Sigmoid");
  shape(nn::Softplus(nn::SoftplusOptions().beta(2).threshold(10))(x), {4, 6}, "Softplus");
  shape(nn::Softshrink(nn::SoftshrinkOptions(0.3))(x), {4, 6}, "Softshrink");
  shape(nn::Softsign()(x), {4, 6}, "Softsign");
  shape(nn::Tanh()(x), {4, 6}, "Tanh");
  shape(nn::Tanhshrink()(x), {4, 6}, "Tanhshrink");
  shape(nn::Threshold(nn::ThresholdOptions(0.1, 2).inplace(false))(x), {4, 6}, "Threshold");
  shape(nn::Softmax(nn::SoftmaxOptions(1))(x), {4, 6}, "Softmax");
  shape(nn::Softmin(nn::SoftminOptions(1))(x), {4, 6}, "Softmin");
  shape(nn::LogSoftmax(nn::LogSoftmaxOptions(1))(x), {4, 6}, "LogSoftmax");
  shape(nn::Softmax2d()(torch::randn({2, 3, 4, 5})), {2, 3, 4, 5}, "Softmax2d");

  shape(F::elu(x, F::ELUFuncOptions().alpha(0.5)), {4, 6}, "elu");
  shape(F::selu(x, F::SELUFuncOptions(false)), {4, 6}, "selu");
  shape(F::celu(x, F::CELUFuncOptions().alpha(0.5)), {4, 6}, "celu");
  shape(F::gelu(x, F::GELUFuncOptions().approximate("none")), {4, 6}, "gelu");
  shape(F::glu(x, F::GLUFuncOptions(1)), {4, 3}, "glu");
  shape(F::hardshrink(x, F::HardshrinkFuncOptions().lambda(0.4)), {4, 6}, "hardshrink");
  shape(F::hardtanh(x, F::HardtanhFuncOptions().min_val(-1).max_val(1)), {4, 6}, "hardtanh");
  shape(F::leaky_relu(x, F::LeakyReLUFuncOptions().negative_slope(0.1)), {4, 6}, "leaky_relu");
  shape(F::logsigmoid(x), {4, 6}, "logsigmoid");
  shape(F::mish(x), {4, 6}, "mish");
  shape(F::silu(x), {4, 6}, "silu");
  shape(F::prelu(x, torch::full({1}, 0.2)), {4, 6}, "prelu");
  shape(F::relu(x, F::ReLUFuncOptions().inplace(false)), {4, 6}, "relu");
  shape(F::relu6(x, F::ReLU6FuncOptions().inplace(false)), {4, 6}, "relu6");
  shape(F::rrelu(x, F::RReLUFuncOptions().lower(0.1).upper(0.4).training(true)), {4, 6}, "rrelu");
  shape(F::softmax(x, F::SoftmaxFuncOptions(1).dtype(torch::kFloat64)), {4, 6}, "softmax");
  shape(F::softmin(x, F::SoftminFuncOptions(1)), {4, 6}, "softmin");
  shape(F::log_softmax(x, F::LogSoftmaxFuncOptions(1)), {4, 6}, "log_softmax");
  shape(F::gumbel_softmax(x, F::GumbelSoftmaxFuncOptions().tau(0.5).hard(true).dim(1)), {4, 6},
        "gumbel_softmax");
  shape(F::softplus(x, F::SoftplusFuncOptions().beta(0.5).threshold(3)), {4, 6}, "softplus");
  shape(F::softshrink(x, F::SoftshrinkFuncOptions(0.4)), {4, 6}, "softshrink");
  shape(F::softsign(x), {4, 6}, "softsign");
  shape(F::tanhshrink(x), {4, 6}, "tanhshrink");
  shape(F::threshold(x, F::ThresholdFuncOptions(0.5, 0.1)), {4, 6}, "threshold");
}

void losses() {
  const Tensor a = torch::randn({4, 6}), b = torch::randn({4, 6}), c = torch::randn({4, 6}), p = a.sigmoid(),
               t = b.sigmoid(), classes = torch::tensor({0, 3, 5, 2}, torch::kLong),
               sign = torch::tensor({1, -1, 1, 1}, torch::kFloat), w = torch::ones({6});
  shape(nn::L1Loss(nn::L1LossOptions(torch::kNone))(a, b), {4, 6}, "L1Loss");
  shape(nn::MSELoss(nn::MSELossOptions().reduction(torch::kSum))(a, b), {}, "MSELoss");
  shape(nn::SmoothL1Loss(nn::SmoothL1LossOptions(torch::kMean).beta(0.5))(a, b), {}, "SmoothL1Loss");
  shape(nn::HuberLoss(nn::HuberLossOptions().delta(0.5).reduction(torch::kMean))(a, b), {}, "HuberLoss");
  shape(nn::BCELoss(nn::BCELossOptions().weight(w).reduction(torch::kNone))(p, t), {4, 6}, "BCELoss");
  shape(nn::BCEWithLogitsLoss(nn::BCEWithLogitsLossOptions().weight(w).pos_weight(w).reduction(torch::kMean))(
            a, t),
        {}, "BCEWithLogitsLoss");
  shape(nn::CrossEntropyLoss(
            nn::CrossEntropyLossOptions().weight(w).ignore_index(2).label_smoothing(0.1).reduction(
                torch::kMean))(a, classes),
        {}, "CrossEntropyLoss");
  shape(nn::NLLLoss(nn::NLLLossOptions().weight(w).ignore_index(-100).reduction(torch::kSum))(a, classes), {},
        "NLLLoss");
  shape(nn::KLDivLoss(nn::KLDivLossOptions().reduction(torch::kBatchMean).log_target(true))(a, b), {},
        "KLDivLoss");
  shape(nn::PoissonNLLLoss(
            nn::PoissonNLLLossOptions().log_input(true).full(true).eps(1e-8).reduction(torch::kMean))(a, t),
        {}, "PoissonNLLLoss");
  shape(
      nn::HingeEmbeddingLoss(nn::HingeEmbeddingLossOptions().margin(2).reduction(torch::kNone))(a, b.sign()),
      {4, 6}, "HingeEmbeddingLoss");
  shape(nn::CosineEmbeddingLoss(nn::CosineEmbeddingLossOptions().margin(0.5))(a, b, sign), {},
        "CosineEmbeddingLoss");
  shape(nn::MarginRankingLoss(nn::MarginRankingLossOptions().margin(0.5).reduction(torch::kSum))(a, b,
                                                                                                 c.sign()),
        {}, "MarginRankingLoss");
  shape(nn::MultiMarginLoss(nn::MultiMarginLossOptions().p(2).margin(2).weight(w))(a, classes), {},
        "MultiMarginLoss");
  shape(nn::MultiLabelMarginLoss(nn::MultiLabelMarginLossOptions(torch::kMean))(
            a, torch::tensor(
                   {{1, -1, 0, 0, 0, 0}, {2, 3, -1, 0, 0, 0}, {-1, 0, 0, 0, 0, 0}, {5, -1, 0, 0, 0, 0}},
                   torch::kLong)),
        {}, "MultiLabelMarginLoss");
  shape(nn::MultiLabelSoftMarginLoss(nn::MultiLabelSoftMarginLossOptions().weight(w).reduction(torch::kNone))(
            a, t),
        {4}, "MultiLabelSoftMarginLoss");
  shape(nn::SoftMarginLoss(nn::SoftMarginLossOptions(torch::kNone))(a, b.sign()), {4, 6}, "SoftMarginLoss");
  shape(nn::TripletMarginLoss(nn::TripletMarginLossOptions().margin(3).p(2).eps(1e-6).swap(true).reduction(
            torch::kMean))(a, b, c),
        {}, "TripletMarginLoss");
  const nn::TripletMarginWithDistanceLossOptions::distance_function_t distance =
      [](const Tensor& x, const Tensor& y) { return (x - y).abs().sum(1); };
  shape(nn::TripletMarginWithDistanceLoss(nn::TripletMarginWithDistanceLossOptions()
                                              .distance_function(distance)
                                              .margin(1)
                                              .swap(true)
                                              .reduction(torch::kNone))(a, b, c),
        {4}, "TripletMarginWithDistanceLoss");
  const Tensor steps = torch::randn({10, 2, 5}).log_softmax(2),
               labels = torch::tensor({{1, 2, 3}, {4, 4, 1}}, torch::kLong),
               lengths = torch::tensor({10, 9}, torch::kLong),
               label_lengths = torch::tensor({3, 2}, torch::kLong);
  shape(nn::CTCLoss(nn::CTCLossOptions().blank(0).reduction(torch::kSum).zero_infinity(true))(
            steps, labels, lengths, label_lengths),
        {}, "CTCLoss");
  shape(nn::CosineSimilarity(nn::CosineSimilarityOptions().dim(1).eps(1e-8))(a, b), {4}, "CosineSimilarity");
  shape(nn::PairwiseDistance(nn::PairwiseDistanceOptions().p(2).eps(1e-6).keepdim(true))(a, b), {4, 1},
        "PairwiseDistance");
  auto adaptive = nn::AdaptiveLogSoftmaxWithLoss(
      nn::AdaptiveLogSoftmaxWithLossOptions(6, 10, {4, 7}).div_value(2.).head_bias(true));
  const nn::ASMoutput out = adaptive->forward(a, classes);
  shape(out.output, {4}, "AdaptiveLogSoftmaxWithLoss");
  expect(out.loss > 0, "ASMoutput::loss");
  shape(adaptive->log_prob(a), {4, 10}, "log_prob");
  shape(adaptive->predict(a), {4}, "predict");

  shape(F::l1_loss(a, b, F::L1LossFuncOptions(torch::kNone)), {4, 6}, "l1_loss");
  shape(F::mse_loss(a, b, F::MSELossFuncOptions(torch::kNone)), {4, 6}, "mse_loss");
  shape(F::smooth_l1_loss(a, b, F::SmoothL1LossFuncOptions(torch::kNone)), {4, 6}, "smooth_l1_loss");
  shape(F::smooth_l1_loss(a, b, F::SmoothL1LossFuncOptions(torch::kNone), 0.5), {4, 6},
        "smooth_l1_loss with beta");
  shape(F::huber_loss(a, b, F::HuberLossFuncOptions().reduction(torch::kNone).delta(0.5)), {4, 6},
        "huber_loss");
  shape(F::binary_cross_entropy(p, t, F::BinaryCrossEntropyFuncOptions().weight(w)), {},
        "binary_cross_entropy");
  shape(
      F::binary_cross_entropy_with_logits(
          a, t, F::BinaryCrossEntropyWithLogitsFuncOptions().weight(w).pos_weight(w).reduction(torch::kSum)),
      {}, "binary_cross_entropy_with_logits");
  shape(F::cross_entropy(a, classes, F::CrossEntropyFuncOptions().ignore_index(-100).reduction(torch::kNone)),
        {4}, "cross_entropy");
  shape(F::nll_loss(a, classes, F::NLLLossFuncOptions().ignore_index(-100).reduction(torch::kNone)), {4},
        "nll_loss");
  shape(F::kl_div(a, t, F::KLDivFuncOptions(torch::kNone).log_target(false)), {4, 6}, "kl_div");
  shape(F::poisson_nll_loss(a, t, F::PoissonNLLLossFuncOptions().reduction(torch::kNone)), {4, 6},
        "poisson_nll_loss");
  shape(F::hinge_embedding_loss(a, b.sign(), F::HingeEmbeddingLossFuncOptions().margin(2)), {},
        "hinge_embedding_loss");
  shape(F::cosine_embedding_loss(a, b, sign, F::CosineEmbeddingLossFuncOptions().margin(0.5)), {},
        "cosine_embedding_loss");
  shape(F::margin_ranking_loss(a, b, c.sign(), F::MarginRankingLossFuncOptions().margin(0.5)), {},
        "margin_ranking_loss");
  shape(F::multi_margin_loss(a, classes, F::MultiMarginLossFuncOptions().margin(2).weight(w)), {},
        "multi_margin_loss");
  shape(F::multilabel_margin_loss(a, classes.unsqueeze(1).expand({4, 6}).contiguous()), {},
        "multilabel_margin_loss");
  shape(F::multilabel_soft_margin_loss(a, t, F::MultilabelSoftMarginLossFuncOptions().weight(w)), {},
        "multilabel_soft_margin_loss");
  shape(F::soft_margin_loss(a, b.sign(), F::SoftMarginLossFuncOptions(torch::kSum)), {}, "soft_margin_loss");
  shape(F::triplet_margin_loss(a, b, c, F::TripletMarginLossFuncOptions().margin(1.0)), {},
        "triplet_margin_loss");
  shape(F::triplet_margin_with_distance_loss(
            a, b, c, F::TripletMarginWithDistanceLossFuncOptions().distance_function(distance).margin(1.0)),
        {}, "triplet_margin_with_distance_loss");
  shape(F::ctc_loss(steps, labels, lengths, label_lengths, F::CTCLossFuncOptions().reduction(torch::kNone)),
        {2}, "ctc_loss");
  shape(F::cosine_similarity(a, b, F::CosineSimilarityFuncOptions().dim(1)), {4}, "cosine_similarity");
  shape(F::pairwise_distance(a, b, F::PairwiseDistanceFuncOptions().p(1)), {4}, "pairwise_distance");
  shape(F::pdist(a, 2.0), {6}, "pdist");
}

void layers() {
  const Tensor x = torch::randn({4, 6}), ids = torch::tensor({1, 2, 4, 5, 4, 3, 2, 9}, torch::kLong),
               starts = torch::tensor({0, 4}, torch::kLong);
  shape(nn::Linear(nn::LinearOptions(6, 3).bias(false))(x), {4, 3}, "Linear");
  shape(nn::Bilinear(nn::BilinearOptions(6, 6, 3).bias(false))(x, x), {4, 3}, "Bilinear");
  shape(nn::Identity()(x), {4, 6}, "Identity");
  shape(nn::Flatten(nn::FlattenOptions().start_dim(0).end_dim(1))(x), {24}, "Flatten");
  shape(nn::Unflatten(nn::UnflattenOptions(1, {2, 3}))(x), {4, 2, 3}, "Unflatten");
  shape(nn::Dropout(nn::DropoutOptions(0.3).inplace(false))(x), {4, 6}, "Dropout");
  shape(nn::Dropout2d(nn::Dropout2dOptions().p(0.3).inplace(false))(x.view({1, 2, 3, 4})), {1, 2, 3, 4},
        "Dropout2d");
  shape(nn::Dropout3d(nn::Dropout3dOptions().p(0.3))(x.view({1, 2, 3, 2, 2})), {1, 2, 3, 2, 2}, "Dropout3d");
  shape(nn::AlphaDropout(nn::AlphaDropoutOptions(0.2).inplace(false))(x), {4, 6}, "AlphaDropout");
  shape(nn::FeatureAlphaDropout(nn::FeatureAlphaDropoutOptions(0.2))(x), {4, 6}, "FeatureAlphaDropout");
  shape(
      nn::Embedding(
          nn::EmbeddingOptions(10, 3).padding_idx(2).max_norm(2).norm_type(2).scale_grad_by_freq(true).sparse(
              false))(ids),
      {8, 3}, "Embedding");
  shape(nn::Embedding::from_pretrained(
            torch::ones({10, 3}), nn::EmbeddingFromPretrainedOptions().freeze(false).padding_idx(1))(ids),
        {8, 3}, "Embedding::from_pretrained");
  shape(nn::EmbeddingBag(nn::EmbeddingBagOptions(10, 3)
                             .max_norm(2)
                             .norm_type(2.5)
                             .scale_grad_by_freq(true)
                             .sparse(false)
                             .mode(torch::kSum)
                             .include_last_offset(false)
                             .padding_idx(1))(ids, starts),
        {2, 3}, "EmbeddingBag");
  shape(nn::EmbeddingBag::from_pretrained(
            torch::ones({10, 3}),
            nn::EmbeddingBagFromPretrainedOptions().freeze(false).mode(torch::kMax))(ids.view({2, 4})),
        {2, 3}, "EmbeddingBag::from_pretrained");
  shape(nn::LayerNorm(nn::LayerNormOptions({6}).elementwise_affine(false).eps(2e-5))(x), {4, 6}, "LayerNorm");
  shape(nn::GroupNorm(nn::GroupNormOptions(2, 6).eps(2e-5).affine(false))(x), {4, 6}, "GroupNorm");

  shape(F::linear(x, torch::randn({3, 6}), torch::randn({3})), {4, 3}, "linear");
  shape(F::bilinear(x, x, torch::randn({3, 6, 6}), torch::randn({3})), {4, 3}, "bilinear");
  shape(F::dropout(x, F::DropoutFuncOptions().p(0.5).training(true).inplace(false)), {4, 6}, "dropout");
  shape(F::dropout2d(x.view({1, 2, 3, 4}), F::Dropout2dFuncOptions().p(0.5)), {1, 2, 3, 4}, "dropout2d");
  shape(F::dropout3d(x.view({1, 2, 3, 2, 2}), F::Dropout3dFuncOptions().p(0.5)), {1, 2, 3, 2, 2},
        "dropout3d");
  shape(F::alpha_dropout(x, F::AlphaDropoutFuncOptions().p(0.5).training(true).inplace(false)), {4, 6},
        "alpha_dropout");
  shape(F::feature_alpha_dropout(x, F::FeatureAlphaDropoutFuncOptions().p(0.5).training(true).inplace(false)),
        {4, 6}, "feature_alpha_dropout");
  shape(F::detail::alpha_dropout(x, 0.5, true, false), {4, 6}, "detail::alpha_dropout");
  const Tensor table = torch::randn({10, 3});
  shape(F::embedding(ids, table, F::EmbeddingFuncOptions().norm_type(2.5).scale_grad_by_freq(true)), {8, 3},
        "embedding");
  shape(F::embedding_bag(ids, table,
                         F::EmbeddingBagFuncOptions()
                             .mode(torch::kSum)
                             .offsets(starts)
                             .padding_idx(1)
                             .per_sample_weights(torch::ones({8}))),
        {2, 3}, "embedding_bag");
  shape(F::layer_norm(x, F::LayerNormFuncOptions({6}).eps(2e-5)), {4, 6}, "layer_norm");
  shape(F::group_norm(x, F::GroupNormFuncOptions(2).eps(2e-5)), {4, 6}, "group_norm");
  shape(F::normalize(x, F::NormalizeFuncOptions().p(1).dim(-1).eps(1e-10)), {4, 6}, "normalize");
  shape(F::one_hot(ids, 10), {8, 10}, "one_hot");
  shape(F::pad(x, F::PadFuncOptions({1, 2}).mode(torch::kConstant).value(3)), {4, 9}, "pad");
  shape(F::pad(x.unsqueeze(0), F::PadFuncOptions({1, 2}).mode(torch::kReflect)), {1, 4, 9}, "pad, reflect");
}

void attention() {
  const Tensor x = torch::randn({5, 2, 8}), y = torch::randn({3, 2, 8});
  nn::MultiheadAttention heads(nn::MultiheadAttentionOptions(8, 2)
                                   .dropout(0.1)
                                   .bias(true)
                                   .add_bias_kv(true)
                                   .add_zero_attn(true)
                                   .kdim(8)
                                   .vdim(8));
  auto [out, weights] = heads(x, y, y);
  shape(out, {5, 2, 8}, "MultiheadAttention");
  shape(weights, {2, 5, 5}, "its weights");
  expect(heads->_qkv_same_embed_dim && heads->in_proj_weight.defined() && heads->in_proj_bias.defined() &&
             heads->bias_k.defined() && heads->bias_v.defined() && !heads->q_proj_weight.defined(),
         "MultiheadAttention's members");
  shape(heads->out_proj->weight, {8, 8}, "out_proj");
  const auto options =
      F::MultiheadAttentionForwardFuncOptions(8, 2, heads->in_proj_weight, heads->in_proj_bias, {}, {}, false,
                                              0.0, heads->out_proj->weight, heads->out_proj->bias)
          .training(false)
          .need_weights(true);
  shape(std::get<0>(F::multi_head_attention_forward(x, y, y, options)), {5, 2, 8},
        "multi_head_attention_forward");

  const auto encoder_layer =
      nn::TransformerEncoderLayerOptions(8, 2).dim_feedforward(12).dropout(0.1).activation(torch::kGELU);
  nn::TransformerEncoderLayer one(encoder_layer);
  shape(one(x), {5, 2, 8}, "TransformerEncoderLayer");
  nn::TransformerEncoder encoder(nn::TransformerEncoderOptions(encoder_layer, 2)
                                     .norm(nn::AnyModule(nn::LayerNorm(nn::LayerNormOptions({8})))));
  shape(encoder(x), {5, 2, 8}, "TransformerEncoder");
  const auto decoder_layer =
      nn::TransformerDecoderLayerOptions(8, 2).dim_feedforward(12).dropout(0.1).activation(torch::kReLU);
  nn::TransformerDecoderLayer two(decoder_layer);
  shape(two(y, x), {3, 2, 8}, "TransformerDecoderLayer");
  nn::TransformerDecoder decoder(nn::TransformerDecoderOptions(decoder_layer, 2)
                                     .norm(nn::AnyModule(nn::LayerNorm(nn::LayerNormOptions({8})))));
  shape(decoder(y, x), {3, 2, 8}, "TransformerDecoder");
  nn::Transformer both(nn::TransformerOptions(8, 2)
                           .num_encoder_layers(1)
                           .num_decoder_layers(1)
                           .dim_feedforward(12)
                           .dropout(0.1)
                           .activation(torch::kReLU)
                           .custom_encoder(nn::AnyModule(encoder))
                           .custom_decoder(nn::AnyModule(decoder)));
  const Tensor mask = nn::TransformerImpl::generate_square_subsequent_mask(3);
  shape(both(x, y, Tensor(), mask), {3, 2, 8}, "Transformer");
}

void containers() {
  nn::Sequential chain(nn::Linear(4, 3), nn::Functional(torch::relu), nn::Linear(3, 2));
  shape(chain->forward(torch::ones({5, 4})), {5, 2}, "Sequential");
  nn::ModuleList list(nn::Linear(4, 3), nn::ReLU());
  list->push_back(nn::Tanh());
  list->insert(0, nn::Identity());
  expect(list->size() == 4 && list->ptr(1)->as<nn::Linear>() != nullptr && !list->is_empty(), "ModuleList");
  torch::OrderedDict<std::string, std::shared_ptr<nn::Module>> items;
  items.insert("a", nn::Linear(4, 3).ptr());
  items.insert("b", nn::ReLU().ptr());
  nn::ModuleDict dict(items);
  int count = 0;
  for (const auto& item : *dict) count += !item.key().empty() && item.value() != nullptr;
  expect(count == 2 && dict->contains("a") && dict->keys().size() == 2 && dict->values().size() == 2 &&
             dict->at<nn::LinearImpl>("a").bias.defined() && !dict->empty(),
         "ModuleDict");
  dict->pop("a");
  expect(dict->size() == 1, "ModuleDict::pop");
  nn::ParameterList parameters(torch::ones({2}), torch::ones({3}));
  parameters->append(torch::zeros({4}));
  expect(parameters->size() == 3 && parameters->at(1).numel() == 3, "ParameterList");
  nn::ParameterDict named;
  named->insert("w", torch::ones({2}));
  expect(named->contains("w") && named->get("w").numel() == 2 && named->keys().size() == 1, "ParameterDict");
  nn::AnyModule any(nn::Linear(4, 3));
  shape(any.forward(torch::ones({1, 4})), {1, 3}, "AnyModule");
  expect(any.ptr() != nullptr && !any.is_empty() && any.get<nn::Linear>()->options.in_features() == 4,
         "AnyModule");
}

void helpers() {
  Tensor w = torch::empty({4, 3});
  nn::init::kaiming_normal_(w, 0.1, torch::kFanOut, torch::kReLU);
  nn::init::kaiming_uniform_(w, 0.1, torch::kFanIn, torch::kLeakyReLU);
  nn::init::xavier_normal_(w);
  nn::init::xavier_uniform_(w, nn::init::calculate_gain(torch::kTanh));
  nn::init::orthogonal_(w);
  nn::init::normal_(w, 0, 0.1);
  nn::init::uniform_(w, -1, 1);
  nn::init::constant_(w, 2);
  nn::init::ones_(w);
  nn::init::zeros_(w);
  nn::init::eye_(w);
  nn::init::sparse_(w, 0.5);
  nn::init::dirac_(torch::empty({2, 2, 3}));
  expect(nn::init::calculate_gain(torch::kConv2D) == 1, "calculate_gain");

  nn::Linear fc(3, 2);
  fc(torch::ones({1, 3})).sum().backward();
  const Tensor flat = nn::utils::parameters_to_vector(fc->parameters());
  nn::utils::vector_to_parameters(flat * 2, fc->parameters());
  nn::utils::clip_grad_norm_(fc->parameters(), 0.5, 2.0);
  nn::utils::clip_grad_value_(fc->parameters(), 0.1);
  expect(fc->bias.grad().abs().max().item<float>() <= 0.1f, "clip_grad_value_");

  namespace rnn = nn::utils::rnn;
  const std::vector<Tensor> sequences{torch::ones({3, 2}), torch::ones({5, 2}), torch::ones({1, 2})};
  shape(rnn::pad_sequence(sequences, true, 0.5), {3, 5, 2}, "pad_sequence");
  const rnn::PackedSequence packed = rnn::pack_sequence(sequences, false);
  shape(packed.data(), {9, 2}, "pack_sequence");
  const auto [padded, lengths] = rnn::pad_packed_sequence(packed, true);
  shape(rnn::pack_padded_sequence(padded, lengths, true, false).data(), {9, 2}, "pack_padded_sequence");

  expect(torch::enumtype::get_enum_name(nn::EmbeddingBagOptions(2, 2).mode()) == "kMean", "get_enum_name");
  expect(torch::enumtype::get_enum_name(nn::L1LossOptions(torch::enumtype::kSum()).reduction()) == "kSum",
         "enumtype");
}

}  // namespace

int main() {
  activations();
  losses();
  layers();
  attention();
  containers();
  helpers();
  return failures == 0 ? 0 : 1;
}
