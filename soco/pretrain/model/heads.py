"""The box head, which detectors fine-tune, and the MLPs, which only pretraining has."""

from torch import Tensor, nn
from torch.nn import functional as F

# As in detectron2's FPN models: 256 channels x 7 x 7 are the 12544 inputs of fc1.
ROI_SIDE = 7


class BoxHead(nn.Module):
    """The R-CNN head: 3x3 convolutions with norms, then one fully connected layer.

    It is the head of detectron2's `FastRCNNConvFCHead` with 4 convolutions and 1 linear layer, so
    that fine-tuning can initialise it. Parameters have the release's names (conv1, bn1, ..., fc1)
    and, as there, torch's default initialisation.
    """

    def __init__(self, channels_in: int, channels: int, convs: int, outputs: int) -> None:
        super().__init__()
        self.convs = convs
        for number in range(1, convs + 1):
            conv = nn.Conv2d(
                channels_in if number == 1 else channels, channels, 3, padding=1, bias=False
            )
            self.add_module(f"conv{number}", conv)
            self.add_module(f"bn{number}", nn.BatchNorm2d(channels))
        self.fc1 = nn.Linear(channels * ROI_SIDE**2, outputs)

    def forward(self, rois: Tensor) -> Tensor:
        """Map (R, C, 7, 7) to (R, outputs)."""
        for number in range(1, self.convs + 1):
            rois = F.relu(
                self.get_submodule(f"bn{number}")(self.get_submodule(f"conv{number}")(rois))
            )
        # Flattened channel by channel, as detectron2 does: its head can copy fc1 as it is.
        return F.relu(self.fc1(rois.flatten(1)))


class MLP(nn.Module):
    """Linear, norm, ReLU, linear: BYOL's form of projector and predictor.

    With `normed`, a batch norm without weights follows, as in SimSiam (Chen and He, CVPR 2021).
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, normed: bool = False) -> None:
        super().__init__()
        self.linear1 = nn.Linear(inputs, hidden)
        self.bn1 = nn.BatchNorm1d(hidden)
        self.linear2 = nn.Linear(hidden, outputs)
        self.bn2 = nn.BatchNorm1d(outputs, affine=False) if normed else nn.Identity()

    def forward(self, vectors: Tensor) -> Tensor:
        """Map (R, inputs) to (R, outputs)."""
        return self.bn2(self.linear2(F.relu(self.bn1(self.linear1(vectors)))))
