"""Each test tampers with the page and edits all hashes; the audit must notice."""

import re
from pathlib import Path

import pytest

from soco.provenance.audit.contents import check_contents
from soco.provenance.audit.files import check_hashes
from soco.provenance.audit.page import check_page, parted
from soco.provenance.audit.run import Options, audit

PAGE = Path("results/report/report.html")
RECORD = "results/origins/report.json"
TEXT, FIGURES = "report.html: text and tables", "report.html: figures"


@pytest.fixture
def edited(run):
    """Edit the page's text, and all hashes."""

    def edit(change):
        run.write(PAGE, change(PAGE.read_text(encoding="utf-8")).encode())
        run.edit_hashes()
        return run.read()

    return edit


def statuses(reported):
    return {check.name: check.status for check in check_page(reported)}


def test_the_page_of_an_unchanged_run_is_built_again_byte_for_byte(run):
    checks = {check.name: check for check in check_page(run.read())}
    assert {check.status for check in checks.values()} == {"PASS"} and len(checks) == 3
    figures = len(parted(PAGE.read_text(encoding="utf-8")).figures)
    assert figures > 30 and checks[FIGURES].said == f"{figures} figures are equal byte for byte."


def test_an_ap_edited_on_the_page_is_found_by_a_quick_audit(edited, failing):
    changed = edited(
        lambda page: re.sub(r'(<td class="n edge">)[\d.]+(</td>)', r"\g<1>99.9\2", page, count=1)
    )
    assert failing(check_hashes(changed)) == {}
    failed = failing(audit(changed.path, Options(quick=True)))
    assert failed.keys() == {TEXT}
    assert (
        "1 line differs" in failed[TEXT]
        and '">99.9</td>' in failed[TEXT]
        and "built again" in failed[TEXT]
    )


@pytest.mark.parametrize(
    "added",
    [
        "<p>This run was verified by the authors.</p>",
        "<script>document.title = 'owned'</script>",
        '<img src="data:image/svg+xml;base64,PHN2Zy8+" alt="AP">',
        "<!-- invisible -->",
        "\r\n",
    ],
)
def test_anything_added_to_the_page_is_in_its_text(added):
    page = '<p>AP</p>\n<img src="data:image/jpeg;base64,AAAA" alt="a figure"></main>'
    assert parted(page.replace("</main>", f"{added}</main>")).lines != parted(page).lines


def test_a_script_on_the_page_is_found(edited, failing):
    script = "<script>document.title = 'owned'</script>"
    failed = failing(check_page(edited(lambda page: page.replace("</body>", f"{script}</body>"))))
    assert failed.keys() == {TEXT} and "<script>" in failed[TEXT]


def test_a_figure_replaced_by_another_is_found(edited, failing):
    def swap(page):
        first, second, *_ = [
            failed[0] for failed in parted(page).figures if failed[0].startswith("PHN2Zy")
        ]
        return page.replace(first, second, 1)

    failed = failing(check_page(edited(swap)))
    assert (
        failed.keys() == {FIGURES}
        and "1 figure differs when built again, the first: '" in failed[FIGURES]
    )


def test_a_figure_that_is_not_an_image_is_found(edited):
    def change(page):
        return page.replace('src="data:image/svg+xml;base64,', 'src="data:text/html;base64,', 1)

    assert statuses(edited(change))[TEXT] == "FAIL"


def test_a_report_edited_without_its_page_is_found(run, failing):
    run.edit(run.report, lambda report: report.update(seed=77))
    run.edit_hashes()
    assert TEXT in failing(check_page(run.read()))
    assert failing(check_contents(run.read())).keys() == {"report: seed"}


def made_elsewhere(run, **changes):
    """Claim in report and record that the page was built by other code, or on another machine."""
    run.edit(RECORD, lambda record: record["environment"].update(changes))
    if "code" in changes:
        run.edit(run.report, lambda report: report.update(git=changes["code"]))


def test_a_page_of_other_code_that_differs_is_skipped_with_the_reason(run):
    made_elsewhere(run, code={"commit": "f" * 40, "dirty": False, "note": None})
    checks = {check.name: check for check in check_page(run.read())}
    # The line with the commit differs.
    assert checks[TEXT].status == "SKIP" and checks[FIGURES].status == "PASS"
    assert checks[TEXT].said.startswith(f"The page was built by commit {'f' * 40}, this is ")


def test_with_other_packages_the_text_is_compared_and_other_figures_are_skipped(run, edited):
    packages = {"matplotlib": "0.1"}
    made_elsewhere(run, packages=packages)
    assert set(statuses(run.read()).values()) == {"PASS"}
    _, first = parted(PAGE.read_text(encoding="utf-8")).figures[0]
    changed = edited(
        lambda page: re.sub(r"(base64,)[A-Za-z0-9+/=]{40}", r"\g<1>" + "A" * 40, page, count=1)
    )
    checks = {check.name: check for check in check_page(changed)}
    assert checks[TEXT].status == "PASS" and checks[FIGURES].status == "SKIP"
    assert "with other packages" in checks[FIGURES].said and first[:60] in checks[FIGURES].said
    changed = edited(lambda page: page.replace("</main>", "<p>more</p></main>"))
    assert statuses(changed)[TEXT] == "FAIL"


def test_code_that_the_report_does_not_name_is_found(run, failing):
    run.edit(RECORD, lambda record: record["environment"]["code"].update(commit="f" * 40))
    failed = failing(check_page(run.read()))
    message = failed["report.html: its record"]
    assert "does not name the same code as `git` in the report" in message


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
