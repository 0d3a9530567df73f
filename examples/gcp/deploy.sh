#!/bin/sh
# Set up a machine of Google's for the bus, from an empty project to one that accepts jobs; docs/deploy.md tells of it.
#
#     examples/gcp/deploy.sh --project=my-project --sources=203.0.113.7/32 --dry-run
#
# Each command is printed before it is run, with --dry-run in place of it: what is printed is a script. It may be run
# again at any time: what is there is left or brought up to date, and nothing is ever deleted.
#
#     --project=P      the project; needed
#     --sources=CIDR   which addresses may speak to the bus, with commas between; needed
#     --zone=Z         europe-west1-b           --name=N      aafai-bus, of the machine and all that belongs to it
#     --machine=TYPE   e2-small                 --disk=GB     20
#     --disk-type=TYPE pd-balanced; pd-standard is slower, and costs less than half
#     --bucket=B       for the mirror and the mailbox; P-N
#     --repository=URL where the machine gets the bus from; that of this checkout
#     --version=V      a branch, tag or commit of it; the commit of this checkout
#     --client=MEMBER  who may start the machine and use mirror and token, as in user:ann@example.org; may be repeated
#     --spot           a machine that Google may take away, at a third of the price
set -eu
export CLOUDSDK_CORE_DISABLE_PROMPTS=1

here=$(cd "$(dirname "$0")" && pwd)
project='' sources='' zone=europe-west1-b name=aafai-bus machine=e2-small disk=20 disk_type=pd-balanced
bucket='' spot='' dry_run='' clients=''
repository=$(git -C "$here" remote get-url origin 2>/dev/null || echo '')
version=$(git -C "$here" rev-parse HEAD 2>/dev/null || echo main)

refuse() {
    echo "$1" >&2
    exit 2
}

newline='
'

# Whatever is put into a command is one of these words, so that no word can become another command.
must_be() {
    case $2 in *"$newline"*) refuse "--$1: it must be one line." ;; esac
    printf '%s' "$2" | grep -Eqx "$3" || refuse "--$1: '$2' is not what it takes: $4"
}

for option; do
    value=${option#*=}
    case $option in
        --project=*) project=$value ;;
        --sources=*) sources=$value ;;
        --zone=*) zone=$value ;;
        --name=*) name=$value ;;
        --machine=*) machine=$value ;;
        --disk=*) disk=$value ;;
        --disk-type=*) disk_type=$value ;;
        --bucket=*) bucket=$value ;;
        --repository=*) repository=$value ;;
        --version=*) version=$value ;;
        --client=*) clients="$clients $value" ;;
        --spot) spot=' --provisioning-model=SPOT --instance-termination-action=STOP' ;;
        --dry-run) dry_run=yes ;;
        -h | --help)
            sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
            exit 0
            ;;
        *) refuse "'$option' is no option; $0 --help lists those there are." ;;
    esac
done
bucket=${bucket:-$project-$name}
must_be project "$project" '[a-z][a-z0-9-]{4,28}[a-z0-9]' 'the id of a project, as gcloud projects list shows it.'
must_be sources "$sources" '[0-9a-f.:]+/[0-9]+(,[0-9a-f.:]+/[0-9]+)*' 'ranges such as 203.0.113.7/32.'
must_be zone "$zone" '[a-z]+-[a-z]+[0-9]+-[a-z]' 'a zone such as europe-west1-b.'
must_be name "$name" '[a-z][a-z0-9-]{4,28}[a-z0-9]' 'six to thirty small letters, digits and hyphens.'
must_be machine "$machine" '[a-z][a-z0-9-]+' 'a machine type such as e2-small.'
must_be disk "$disk" '[0-9]{2,5}' 'a number of GB, ten at least.'
must_be disk-type "$disk_type" '[a-z][a-z0-9-]+' 'a type such as pd-standard.'
must_be bucket "$bucket" '[a-z0-9][a-z0-9-]{1,61}[a-z0-9]' 'a name of small letters, digits and hyphens.'
must_be repository "$repository" 'https://[A-Za-z0-9.-]+(:[0-9]+)?/[A-Za-z0-9._/~-]+' \
    'the https:// URL of a git repository that needs no password.'
must_be version "$version" '[A-Za-z0-9][A-Za-z0-9._/-]*' 'a branch, a tag or a commit.'
for client in $clients; do
    must_be client "$client" '(user|group|serviceAccount|domain):[A-Za-z0-9@._+-]+' 'such as user:ann@example.org.'
done
case $here in *[!A-Za-z0-9/._+-]*) refuse "$here: a path of this kind cannot stand in a command; move the checkout." ;; esac
region=${zone%-*}
account=$name@$project.iam.gserviceaccount.com
member=--member=serviceAccount:$account
in_project=--project=$project
in_zone="--zone=$zone $in_project"

run() {
    printf '%s\n' "$1"
    if [ -z "$dry_run" ]; then eval "$1"; fi
}

# Runs the second command unless the first one finds what it would make.
unless() {
    run "$1 >/dev/null 2>&1 || $2"
}

# Makes a role of the project's own, or gives it the permissions that it takes now.
role() {
    unless "gcloud iam roles describe $1 $in_project" "gcloud iam roles create $1 $in_project --stage=GA --permissions=$2"
    run "gcloud iam roles update $1 $in_project --permissions=$2 >/dev/null"
}

# A new account is not known everywhere at once: what is refused for that is tried again.
grant() {
    printf '%s\n' "$1"
    if [ -n "$dry_run" ]; then return; fi
    for try in 1 2 3 4 5; do
        if eval "$1" >/dev/null; then return; fi
        sleep "$((try * 3))"
    done
    exit 1
}

run "gcloud services enable compute.googleapis.com iam.googleapis.com cloudscheduler.googleapis.com \
secretmanager.googleapis.com storage.googleapis.com $in_project"

# The machine's own account: it may do what the bus does, and nothing else in the project.
unless "gcloud iam service-accounts describe $account $in_project" "gcloud iam service-accounts create $name $in_project"
role aafaiBusAlarm cloudscheduler.jobs.get,cloudscheduler.jobs.create,cloudscheduler.jobs.update,cloudscheduler.jobs.enable,cloudscheduler.jobs.pause
role aafaiBusMachine compute.instances.start,compute.instances.stop,compute.instances.resume,compute.instances.suspend
grant "gcloud projects add-iam-policy-binding $project $member --role=projects/$project/roles/aafaiBusAlarm --condition=None"
# The job of Cloud Scheduler starts the machine in the name of that account, which must be allowed to lend it.
grant "gcloud iam service-accounts add-iam-policy-binding $account $in_project $member --role=roles/iam.serviceAccountUser"

# The mirror: results are read there, and jobs left, while the machine is off.
unless "gcloud storage buckets describe gs://$bucket $in_project" \
    "gcloud storage buckets create gs://$bucket $in_project --location=$region --uniform-bucket-level-access --public-access-prevention"
# What the bus has written there goes after a month; what else lies in that bucket, and jobs that wait, stay. A bucket
# that has rules of its own keeps them.
prefixes=$(printf ', "%s"' "$name/results/" "$name/statuses/" "$name/files/" "$name/receipts/" "$name/refused/")
rule="{\"rule\": [{\"action\": {\"type\": \"Delete\"}, \"condition\": {\"age\": 31, \"matchesPrefix\": [${prefixes#, }]}}]}"
run "rules=\$(mktemp) && echo '$rule' >\"\$rules\""
unless "gcloud storage buckets describe gs://$bucket $in_project --format='value(lifecycle_config)' | grep ." \
    "gcloud storage buckets update gs://$bucket $in_project --lifecycle-file=\"\$rules\""
run "rm \"\$rules\""
grant "gcloud storage buckets add-iam-policy-binding gs://$bucket $in_project $member --role=roles/storage.objectUser"

# The token never stands in a file here, in an argument or in the machine's metadata.
unless "gcloud secrets describe $name-token $in_project" \
    "od -An -N32 -tx1 /dev/urandom | tr -d ' \\n' | gcloud secrets create $name-token $in_project --replication-policy=automatic --data-file=-"
grant "gcloud secrets add-iam-policy-binding $name-token $in_project $member --role=roles/secretmanager.secretAccessor"

# Two doors: the bus for those addresses, and SSH for whoever Google's proxy has let in. What the network lets in by
# itself, at the least priority of all, is shut out.
unless "gcloud compute firewall-rules describe $name $in_project" \
    "gcloud compute firewall-rules create $name $in_project --allow=tcp:8000 --source-ranges=$sources --target-service-accounts=$account"
run "gcloud compute firewall-rules update $name $in_project --source-ranges=$sources"
unless "gcloud compute firewall-rules describe $name-ssh $in_project" \
    "gcloud compute firewall-rules create $name-ssh $in_project --allow=tcp:22 --source-ranges=35.235.240.0/20 --target-service-accounts=$account"
unless "gcloud compute firewall-rules describe $name-shut $in_project" \
    "gcloud compute firewall-rules create $name-shut $in_project --action=deny --rules=all --priority=65000 --target-service-accounts=$account"

metadata="--metadata=aafai-repository=$repository,aafai-version=$version,aafai-token-secret=$name-token,aafai-mirror=gs://$bucket/$name,aafai-alarm=gcp-scheduler:$name,enable-oslogin=TRUE"
files="--metadata-from-file=startup-script=$here/start.sh,user-data=$here/cloud-init.yaml"
unless "gcloud compute instances describe $name $in_zone" \
    "gcloud compute instances create $name $in_zone --machine-type=$machine --image-family=debian-12 --image-project=debian-cloud \
--boot-disk-size=${disk}GB --boot-disk-type=$disk_type --service-account=$account --scopes=cloud-platform --shielded-secure-boot$spot $metadata $files"
run "gcloud compute instances add-metadata $name $in_zone $metadata $files"
grant "gcloud compute instances add-iam-policy-binding $name $in_zone $member --role=projects/$project/roles/aafaiBusMachine"

if [ -n "$clients" ]; then
    role aafaiBusClient compute.instances.get,compute.instances.start,compute.instances.resume
    role aafaiBusOperations compute.zoneOperations.get
fi
for client in $clients; do
    grant "gcloud compute instances add-iam-policy-binding $name $in_zone --member=$client --role=projects/$project/roles/aafaiBusClient"
    grant "gcloud projects add-iam-policy-binding $project --member=$client --role=projects/$project/roles/aafaiBusOperations --condition=None"
    grant "gcloud storage buckets add-iam-policy-binding gs://$bucket $in_project --member=$client --role=roles/storage.objectUser"
    grant "gcloud secrets add-iam-policy-binding $name-token $in_project --member=$client --role=roles/secretmanager.secretAccessor"
done

if [ -n "$dry_run" ]; then exit 0; fi
cat >&2 <<END

The machine installs the bus now, which takes some minutes; then it accepts jobs, and later it switches itself off:
    export AAFAI_CLIENT_INSTANCE=$project/$zone/$name
    export AAFAI_TOKEN=\$(gcloud secrets versions access latest --secret=$name-token --project=$project)
    examples/wake.sh examples/curl.sh download_website '{"url": "https://example.org"}'
What it does meanwhile: gcloud compute ssh $name --zone=$zone --project=$project --tunnel-through-iap --command='sudo journalctl -f'
END
