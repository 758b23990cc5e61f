# A periodic batch job. The state is on a host volume, so it runs where that is.
job "gleapsync" {
  type = "batch"

  periodic {
    crons            = ["0 */2 * * *"]
    prohibit_overlap = true
    time_zone        = "Europe/Vienna"
  }

  group "sync" {
    # Exit codes 3 and 4 are no reason to try again, and the next slot comes.
    restart {
      attempts = 0
      mode     = "fail"
    }
    reschedule {
      attempts  = 0
      unlimited = false
    }

    volume "state" {
      type   = "host"
      source = "gleapsync"
    }

    task "sync" {
      driver       = "exec"
      user         = "gleapsync"
      kill_timeout = "60s" # a sync commits and reports

      config {
        command = "gleapsync"
        args    = ["sync", "--config", "/etc/gleapsync/gleapsync.toml", "--log-format", "json"]
      }

      volume_mount {
        volume      = "state"
        destination = "/var/lib/gleapsync"
      }

      template {
        data        = "GLEAP_API_TOKEN={{ with nomadVar \"nomad/jobs/gleapsync\" }}{{ .token }}{{ end }}"
        destination = "secrets/token.env"
        env         = true
      }

      resources {
        cpu    = 1000
        memory = 512
      }
    }
  }
}
