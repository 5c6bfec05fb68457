"""Pages are tampered with, all hashes made to fit, and the audit finds it."""

import re
from pathlib import Path

import pytest

from soco.provenance.audit.contents import check_contents
from soco.provenance.audit.hashes import check_hashes
from soco.provenance.audit.page import check_page, parted
from soco.provenance.audit.run import Options, audit

PAGE = Path("results/report/report.html")
RECORD = "results/origins/report.json"
WORDS, FIGURES = "report.html: words and tables", "report.html: figures"


@pytest.fixture
def edited(run):
    """Edit the page's text, and make the hashes fit."""

    def edit(change):
        run.write(PAGE, change(PAGE.read_text(encoding="utf-8")).encode())
        run.make_hashes_fit()
        return run.read()

    return edit


def statuses(reported):
    return {check.name: check.status for check in check_page(reported)}


def test_the_page_of_an_untouched_run_is_made_again_to_the_byte(run):
    checks = {check.name: check for check in check_page(run.read())}
    assert {check.status for check in checks.values()} == {"PASS"} and len(checks) == 3
    figures = len(parted(PAGE.read_text(encoding="utf-8")).figures)
    assert figures > 30 and checks[FIGURES].said == f"{figures} figures are equal to the byte."


def test_an_ap_edited_on_the_page_is_found_by_a_quick_audit(edited, failing):
    told = edited(
        lambda page: re.sub(r'(<td class="n edge">)[\d.]+(</td>)', r"\g<1>99.9\2", page, count=1)
    )
    assert failing(check_hashes(told)) == {}
    found = failing(audit(told.path, Options(quick=True)))
    assert found.keys() == {WORDS}
    assert (
        "1 line differs" in found[WORDS]
        and '">99.9</td>' in found[WORDS]
        and "made again" in found[WORDS]
    )


@pytest.mark.parametrize(
    "added",
    [
        "<p>This run was verified by the authors.</p>",
        "<script>document.title = 'owned'</script>",
        '<img src="data:image/svg+xml;base64,PHN2Zy8+" alt="AP">',
        "<!-- nothing to be seen -->",
        "\r\n",
    ],
)
def test_anything_added_to_the_page_is_among_its_words(added):
    page = '<p>AP</p>\n<img src="data:image/jpeg;base64,AAAA" alt="a figure"></main>'
    assert parted(page.replace("</main>", f"{added}</main>")).words != parted(page).words


def test_a_script_on_the_page_is_found(edited, failing):
    script = "<script>document.title = 'owned'</script>"
    found = failing(check_page(edited(lambda page: page.replace("</body>", f"{script}</body>"))))
    assert found.keys() == {WORDS} and "<script>" in found[WORDS]


def test_a_figure_put_in_the_place_of_another_is_found(edited, failing):
    def swap(page):
        first, second, *_ = [
            found[0] for found in parted(page).figures if found[0].startswith("PHN2Zy")
        ]
        return page.replace(first, second, 1)

    found = failing(check_page(edited(swap)))
    assert (
        found.keys() == {FIGURES}
        and "1 figure differs from the one made again, the first: '" in found[FIGURES]
    )


def test_a_figure_that_is_no_image_is_found(edited):
    def change(page):
        return page.replace('src="data:image/svg+xml;base64,', 'src="data:text/html;base64,', 1)

    assert statuses(edited(change))[WORDS] == "FAIL"


def test_a_report_edited_with_its_page_left_alone_is_found(run, failing):
    run.edit(run.report, lambda report: report.update(seed=77))
    run.make_hashes_fit()
    assert WORDS in failing(check_page(run.read()))
    assert failing(check_contents(run.read())).keys() == {"report: seed"}


def made_elsewhere(run, **changes):
    """Say in report and record that the page was made by other code, or elsewhere."""
    run.edit(RECORD, lambda record: record["environment"].update(changes))
    if "code" in changes:
        run.edit(run.report, lambda report: report.update(git=changes["code"]))


def test_of_other_code_a_page_that_differs_is_skipped_with_the_reason(run):
    made_elsewhere(run, code={"commit": "f" * 40, "dirty": False, "note": None})
    checks = {check.name: check for check in check_page(run.read())}
    # Its line on the commit is now another.
    assert checks[WORDS].status == "SKIP" and checks[FIGURES].status == "PASS"
    assert checks[WORDS].said.startswith(
        f"The page was made by the code of {'f' * 40}, and this is "
    )


def test_with_other_packages_the_words_are_compared_and_other_figures_skipped(run, edited):
    packages = {"matplotlib": "0.1"}
    made_elsewhere(run, packages=packages)
    assert set(statuses(run.read()).values()) == {"PASS"}
    _, first = parted(PAGE.read_text(encoding="utf-8")).figures[0]
    told = edited(
        lambda page: re.sub(r"(base64,)[A-Za-z0-9+/=]{40}", r"\g<1>" + "A" * 40, page, count=1)
    )
    checks = {check.name: check for check in check_page(told)}
    assert checks[WORDS].status == "PASS" and checks[FIGURES].status == "SKIP"
    assert "with other packages" in checks[FIGURES].said and first[:60] in checks[FIGURES].said
    told = edited(lambda page: page.replace("</main>", "<p>more</p></main>"))
    assert statuses(told)[WORDS] == "FAIL"


def test_code_that_the_report_does_not_name_is_found(run, failing):
    run.edit(RECORD, lambda record: record["environment"]["code"].update(commit="f" * 40))
    found = failing(check_page(run.read()))
    assert "names other code than `git` in the report" in found["report.html: its record"]


def test_a_record_that_no_longer_names_the_page_is_found(run, failing):
    def forget(record):
        record["outputs"] = [made for made in record["outputs"] if made["name"] != "html"]

    run.edit(RECORD, forget)
    assert failing(check_hashes(run.read())) == {}
    assert failing(check_page(run.read())).keys() == {"report.html: its record"}


@pytest.mark.parametrize(
    ("change", "sections"),
    [
        (lambda record: record.update(seconds=1.0), {"report: jobs", "report: resources"}),
        (lambda record: record["params"].update(seed=7), {"report: jobs"}),
        (lambda record: record["outputs"].pop(), {"report: jobs", "report: artefacts"}),
        (
            lambda record: record["environment"]["packages"].update(torch="0.1"),
            {"report: environments"},
        ),
    ],
)
def test_edited_rows_of_a_record_are_found(run, failing, change, sections):
    run.edit("results/origins/evaluate_detector/shapes_coco/soco/1.json", change)
    assert sections <= failing(check_contents(run.read())).keys()
