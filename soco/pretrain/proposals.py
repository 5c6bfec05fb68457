"""Whether enough images have proposals for a pretraining that contrasts objects."""

from soco.data.stores.merged import ProposalStore
from soco.data.stores.without_proposals import count_without
from soco.errors import UserError
from soco.pretrain.job import PretrainJob


def check_proposals(job: PretrainJob) -> None:
    """Refuse a store of which too many images have no proposal.

    Raises:
        UserError: Their share is above `max_without_proposals`, or the store is missing or another
            file.
    """
    found = count_without(ProposalStore(job.store))
    most = job.settings.max_without_proposals
    if found.share <= most:
        return
    key = f"pretrain.{job.run}.max_without_proposals"
    if found.mostly_regionless:
        remedy = "check proposals.engine and the names in proposals.file"
    else:
        remedy = "lower filter.min_side, choose other filter.fallbacks"
    raise UserError(
        f"{found.words(job.filter)}, more than {key} = {most:g} allows; {remedy}, or raise {key} to"
        " train on each of these images as one box."
    )
