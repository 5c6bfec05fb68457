import torch

from soco.pretrain.model.heads import MLP


def test_a_normed_mlp_gives_vectors_without_a_common_direction():
    torch.manual_seed(0)
    rows = 5 + torch.randn(64, 8)
    plain, normed = MLP(8, 16, 4), MLP(8, 16, 4, normed=True)
    assert plain(rows).mean(0).norm() > 0.1
    assert normed(rows).mean(0).norm() < 1e-5
    assert set(normed.state_dict()) - set(plain.state_dict()) == {
        "bn2.running_mean",
        "bn2.running_var",
        "bn2.num_batches_tracked",
    }
